/* Returns free memory to the system: dirty units become clean ones. Any thread may purge any slot, in
   use or not, since units are taken one by one (see mi_slot_t). */
#ifndef MI_PURGE_H
#define MI_PURGE_H

#include "segment/chunk.h"

/* The slot has dirty units: they are due in purge_delay milliseconds (or now, if that is 0). */
void mi_purge_schedule(mi_slot_ref_t ref);

/* Purges what is due, of any thread. Cheap when nothing is: one load if no memory waits, else also a look
   at the clock. */
void mi_purge_tick(void);

/* Purges every dirty unit of the process. */
void mi_purge_all(void);

/* When something that was put aside at a time like `now` is due; 0: never. */
int64_t mi_purge_due_time(void);

/* Lowers *at to `time`, where 0 stands for never. Any thread. */
void mi_time_lower(_Atomic(int64_t)* at, int64_t time);

#endif
