/* Sweeps of watched magazines (heap/magazine.h): what waits in there for a whole delay is freed by
   a thread that purges. Unless a comment says otherwise, any thread may call these functions. */
#ifndef MI_MAGAZINE_SWEEP_H
#define MI_MAGAZINE_SWEEP_H

#include "heap/magazine.h"
#include "segment/purge.h"

/* When the next sweep is due; 0: none is. */
mi_inline int64_t mi_magazine_next(void) { return atomic_load(&mi_magazine_due); }
/* Sweeps the watched magazines if that is due at `now`: frees the blocks that were there for the
   whole delay. The budget is asked before each class; if it runs out, the next round goes on.
   Returns when that is due. */
int64_t mi_magazine_round(int64_t now, mi_purge_budget_t* budget);
/* Frees all blocks in watched magazines of other threads. False if the budget has run out. */
bool mi_magazine_take_all(mi_purge_budget_t* budget);

/* In a forked child, whose one thread has this heap, or none: frees what is in the magazines of
   lost threads. */
void mi_magazines_forked(const mi_heap_t* heap);
/* Unmaps all magazines, when no thread has one any more. */
void mi_magazines_unmap(void);

#endif
