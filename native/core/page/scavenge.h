/* Purging pages of an owner that sleeps. Blocks that other threads freed wait on thread_free for
   the owner, which may never look. Any thread may give their memory back to the system; the
   addresses stay the owner's. The purging thread takes the list, and so holds its blocks:

     if all blocks of the page are on the list, the page is purged, and thread_free becomes WHOLE
       without a list
     if they are on this list and on the owner's, and malloc does not take from the page just now,
       the purger empties the owner's lists, with its lock (segment/owner_lock.h), and purges the
       page
     if only some are, in a page of blocks above MI_SMALL_SIZE_MAX, the system pages that lie in
       these are purged, with the links there (page/holes.h), and the rest is put back. Only for
       a list that has not changed since the last look
     of the block of a huge page all is purged but the system page that holds the link

   Smaller blocks are not worth that one by one. So of pages of these in which some block is alive,
   and of those from which malloc takes, one of each size class, a thread that sleeps keeps the free
   blocks. */
#ifndef MI_SCAVENGE_H
#define MI_SCAVENGE_H

#include "segment/purge.h"

/* So many bytes in this slot were freed: all blocks of a page, or half of them if they are above
   MI_SMALL_SIZE_MAX, or a huge block. They are purged after two fifths of the delay, unless their
   owner collects them before. */
void mi_scavenge_announce(mi_slot_ref_t ref, size_t bytes);

/* A block in this slot was freed, and a round may find something to purge there: the rest of its
   page may be on the owner's lists. To be called unless a round will look there anyway
   (mi_scavenge_is_marked). */
void mi_scavenge_hint(mi_slot_ref_t ref);
/* A round takes the mark away, and then (mi_purge_begin and pinning are fences in between) looks at
   the lists: either it sees the push that comes before this, or we see that the mark is gone. */
mi_inline bool mi_scavenge_is_marked(mi_slot_ref_t ref) {
  return (atomic_load(&ref.chunk->to_scavenge) >> ref.index & 1) != 0;
}

/* When the next round of the calling thread is due; 0: nothing is announced. The purger has rounds
   of its own, for what only it can take. */
int64_t mi_scavenge_next(void);
/* Purges what was announced, if that is due at `now`, as long as the budget lasts; the rest is due
   again in a moment. Returns mi_scavenge_next(). */
int64_t mi_scavenge_round(int64_t now, mi_purge_budget_t* budget);

/* In a forked child, like mi_purge_forked: all slots are marked, since a lost thread may have taken
   a mark, or have been about to set one. */
void mi_scavenge_forked(void);

/* Purges what was announced in this slot, without waiting for another look. */
void mi_scavenge_slot(mi_slot_ref_t ref, mi_purge_budget_t* budget);
/* Purges all that was announced, without waiting for another look. */
void mi_scavenge_all(void);

#endif
