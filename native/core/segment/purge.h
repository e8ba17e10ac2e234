/* Returns free memory to the system: dirty units become clean ones. Any thread may purge any slot,
   in use or not, since units are taken one by one (see mi_slot_t). */
#ifndef MI_PURGE_H
#define MI_PURGE_H

#include "segment/slot_ref.h"

/* How many units may still be purged. It is asked before each slot, each mapping and each class of
   a magazine, eight blocks of which count as a unit; so up to a slot, a huge block or 4 MiB of a
   mapping more may be. To purge a unit costs 3 to 12 us. */
typedef struct mi_purge_budget_s {
  size_t units;
} mi_purge_budget_t;

mi_inline void mi_purge_spend(mi_purge_budget_t* budget, size_t units) {
  budget->units -= units < budget->units ? units : budget->units;
}
/* When to go on if the budget has run out. */
mi_inline int64_t mi_purge_later(int64_t now) {
  enum { PAUSE_MS = 2 };
  return now + PAUSE_MS;
}

/* Says that the slot has `units` more dirty units. The slot is looked at soon, and they are purged
   once they were dirty for the delay; if purge_delay is 0, at once. Does nothing for resident
   memory. */
void mi_purge_schedule(mi_slot_ref_t ref, size_t units);

/* The time at which something is due next, or a little before it; 0: nothing is due. */
int64_t mi_purge_next(void);
/* Purges what is due at `now`, whichever thread left it, and takes it off the budget. If none of
   that is left, the rest is due again in a moment. Returns the next time at which something is due;
   0: nothing is. */
int64_t mi_purge_round(int64_t now, mi_purge_budget_t* budget);

/* Purges every dirty unit of the slot, however short a time it has been dirty; but not in resident
   chunks. */
void mi_purge_slot(mi_slot_ref_t ref, mi_purge_budget_t* budget);

/* To be called when memory was taken. When committed memory passes the highest that it was since
   nothing waited to be purged, as much of what waits is purged at once, 64 MiB at most.
   Kept mappings go; and, `for_huge_block`, units that were dirty at the last look. */
void mi_purge_make_room(bool for_huge_block);

/* Purges every dirty unit of the process, but for resident chunks; unmaps wholly free chunks, and
   the mappings that segment/huge_cache.h keeps. */
void mi_purge_all(void);

/* Purges the system pages that lie wholly between two addresses. The addresses lie in this slot, or
   in the run of slots that begins in it. The caller holds that memory. */
void mi_purge_inside(mi_slot_ref_t ref, void* from, void* to);

/* To be called before and after slots, units or blocks are taken away to give their memory back. */
void mi_purge_begin(void);
void mi_purge_end(void);
/* For a thread that found no memory: whether any thread was between mi_purge_begin and mi_purge_end
   at some time since the call of mi_purge_mark that returned `mark`. */
uint64_t mi_purge_mark(void);
bool mi_purge_ran_since(uint64_t mark);
/* In a forked child: whether a lost thread was between mi_purge_begin and mi_purge_end. */
bool mi_purge_was_cut_off(void);

/* So many times in each delay (segment/pace.h) a slot with free memory is looked at. */
enum { MI_PURGE_LOOKS = 5 };
/* The time that is so many looks away from now; MI_PURGE_LOOKS: the end of the delay. 0: never. */
int64_t mi_purge_time(unsigned looks);

/* Says that something is due at `time` (0: nothing is). The caller has already stored that time
   where a round of mi_purge_round finds it. Either the present round sees it, or the next one
   begins early enough. */
void mi_purge_announce(int64_t time);

/* In a forked child: a lost thread may have been in the middle of a round, or about to announce
   something. All free memory is due anew. */
void mi_purge_forked(void);

#endif
