/* The purger: a thread of our own that gives memory back when the program is quiet. Threads that are
   at work in the allocator purge what is due at their slow paths, on time; the purger comes later, and
   finds work only where they did not come by. It exists only while there is something to purge. */
#ifndef MI_PURGER_H
#define MI_PURGER_H

#include "types.h"

/* What the purger does: purges what is due, and returns when more will be; 0: nothing is left. Not
   allocating, not thread-local: see the helper thread in os/os.h. Called once, before anything is due. */
void mi_purger_set_round(int64_t (*round)(void));

/* So many units, or as much memory, have been put aside to be purged, and announced. Once that is
   worth it, the purger is woken or started. Any thread, in the middle of anything. */
void mi_purger_count(size_t units);
/* A thread of the program has purged what was due. */
void mi_purger_forget_count(void);

/* Ends the purger, and waits for that. It does not come again. */
void mi_purger_end(void);
/* In a forked child, before and after all is set right there: until then none is started, afterwards when it
   is needed. */
void mi_purger_hold(void);
void mi_purger_forked(void);

#endif
