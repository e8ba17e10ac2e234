/* Returns free memory to the system: dirty units become clean ones. Any thread may purge any
   slot, in use or not, since units are taken one by one (see mi_slot_t). */
#ifndef MI_PURGE_H
#define MI_PURGE_H

#include "segment/slot_ref.h"

/* The slot has so many more dirty units: they will be looked at soon, and purged when they were dirty for
   the delay (or now, if purge_delay is 0). Not if its memory is resident. */
void mi_purge_schedule(mi_slot_ref_t ref, size_t units);

/* When something is due next; 0: nothing is. */
int64_t mi_purge_next(void);
/* Purges what is due at `now`, of any thread, and returns when more is; 0: nothing is. */
int64_t mi_purge_round(int64_t now);

/* Purges every dirty unit of the process, and returns the addresses of what is wholly free. */
void mi_purge_all(void);

/* Purges the system pages that lie wholly between two addresses in a slot, in a run of slots that begins there, or, if
   its chunk is NULL, in a mapping. The caller holds what is there. */
void mi_purge_inside(mi_slot_ref_t ref, void* from, void* to);

/* Around what takes slots, units or blocks away to give their memory back. */
void mi_purge_begin(void);
void mi_purge_end(void);
/* For who found no memory: whether any thread was between the two at some time since the mark was made. */
uint64_t mi_purge_mark(void);
bool mi_purge_ran_since(uint64_t mark);
/* In a forked child: whether a thread that is not there was between the two. */
bool mi_purge_was_cut_off(void);

/* The end of the delay (segment/pace.h) is MI_PURGE_LOOKS looks away from now, that of each look one; 0: never. */
enum { MI_PURGE_LOOKS = 5 };
int64_t mi_purge_time(unsigned looks);

/* Something is due at `time` (0: nothing is). The caller has stored that time where the round of
   mi_purge_round finds it, so that either that round sees it or the next one begins early enough. */
void mi_purge_announce(int64_t time);

#endif
