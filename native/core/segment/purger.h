/* The purger: a thread of our own that gives memory back when the program is quiet. Threads that
   are at work in the allocator purge what is due on time, in their slow paths, a little in each.
   The purger comes later, and finds work only where they did not come by, or where a peak left too
   much for them. It exists only while there is something to purge. */
#ifndef MI_PURGER_H
#define MI_PURGER_H

#include "types.h"

/* Sets the function that the purger calls: it purges what is due, and returns when more will be; 0:
   nothing is left. It may neither allocate nor use thread-local variables: see the helper thread in
   os/os.h. Called once, before anything is due. */
void mi_purger_set_round(int64_t (*round)(void));

/* What waits to be purged: dirty units, and mappings that nobody uses; blocks in pages of threads
   that may sleep, and pages of these that only the purger can take; and blocks in their
   magazines. */
typedef enum mi_waiting_e {
  MI_WAITING_UNITS,
  MI_WAITING_BLOCKS,
  MI_WAITING_PAGES,
  MI_WAITING_MAGAZINES,
  MI_WAITING_KINDS
} mi_waiting_t;

/* Says that `units`, or as much memory, have been put aside to be purged, and announced. Once they
   are worth it, wakes or starts the purger. Any thread, in the middle of anything. */
void mi_purger_count(mi_waiting_t kind, size_t units);
/* Says that the caller begins to look at all that waits of this kind, and counts anew what it
   leaves. */
void mi_purger_forget_count(mi_waiting_t kind);

/* Whether there may be a purger by the time that one is needed. */
bool mi_purger_may_come(void);

/* Ends the purger for ever, and waits until it has ended. */
void mi_purger_end(void);
/* In a forked child, before it repairs anything: there is no purger until mi_purger_forked. */
void mi_purger_hold(void);
/* In a forked child, when all is repaired: from now on a purger is started when one is needed. */
void mi_purger_forked(void);

#endif
