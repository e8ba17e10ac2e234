/* A page and its three lists. Unless a comment says otherwise, only the page's owner may call these
   functions. */
#ifndef MI_PAGE_H
#define MI_PAGE_H

#include "page/block.h"
#include "page/size_class.h"
#include "segment/owner_lock.h"
#include "segment/segment.h"

/* ---- The word thread_free ---- */

mi_inline uintptr_t mi_tf_state(uintptr_t word) { return word & MI_TF_STATE_MASK; }
mi_inline size_t mi_tf_count(uintptr_t word) { return word >> MI_TF_COUNT_SHIFT; }
mi_inline mi_block_t* mi_tf_list(uintptr_t word) {
  uintptr_t low = ((uintptr_t)1 << MI_TF_COUNT_SHIFT) - 1;
  return (mi_block_t*)(word & low & ~(uintptr_t)(MI_TF_STATE_MASK | MI_TF_WHOLE));
}
mi_inline uintptr_t mi_tf_make(const mi_block_t* list, size_t count, uintptr_t state) {
  return (uintptr_t)list | (uintptr_t)count << MI_TF_COUNT_SHIFT | state;
}
/* Whether all blocks of the page were freed and the page was purged. */
mi_inline bool mi_tf_is_purged(uintptr_t word) { return word == (MI_TF_WHOLE | MI_TF_NORMAL); }
_Static_assert(MI_ADDRESS_BITS <= MI_TF_COUNT_SHIFT, "the count lies above any address");

/* Whether the free blocks of the page are worth purging one by one (page/holes.h). For any thread
   that holds a block of it. */
mi_inline bool mi_page_is_coarse(const mi_page_t* page) {
  return page->block_size > MI_SMALL_SIZE_MAX;
}

/* ---- Flags ---- */

/* For any thread that holds a block of the page. Relaxed: HAS_ALIGNED is set before an address
   inside a block is handed out. The owner writes the flags, or the purger with the owner's lock
   (page/scavenge.c), never both at once; so a change needs no read-modify-write. */
mi_inline uint8_t mi_page_flags(const mi_page_t* page) {
  return atomic_load_explicit(&page->flags, memory_order_relaxed);
}
mi_inline bool mi_page_is_shared(const mi_page_t* page) {
  return (mi_page_flags(page) & MI_PAGE_SHARED) != 0;
}

/* Whether other threads free so much that the page should be SHARED: each free by the owner then
   takes 6 ns more, but other threads can purge the page. `owner` and `others`: blocks that each
   freed. */
mi_inline bool mi_page_others_prevail(size_t owner, size_t others) { return 2 * others >= owner; }

/* ---- The thread that frees without another look ---- */

/* Whether the calling thread frees blocks of the page by plain pushes on local_free. For any
   thread. Relaxed: no other thread sets `freer` to this thread's id; if one sets a trap just now,
   both answers will do. */
mi_inline bool mi_page_is_freer(const mi_page_t* page) { return mi_os_is_thread_id(&page->freer); }
/* Whether the calling thread frees blocks of the page into the magazine of the page's heap.
   Otherwise as above. */
mi_inline bool mi_page_is_freer_to_magazine(const mi_page_t* page) {
  return atomic_load_explicit(&page->freer, memory_order_relaxed) ==
         mi_os_thread_id() + MI_FREER_TO_MAGAZINE;
}
/* Sets `freer`. To be called whenever the flags or `stack` changed. */
mi_inline void mi_page_set_freer(mi_page_t* page) {
  uint8_t flags = mi_page_flags(page);
  uintptr_t freer = 0;
  if (page->stack != NULL) {
    if ((flags & ~MI_PAGE_SHARED) == 0) freer = mi_os_thread_id() + MI_FREER_TO_MAGAZINE;
  } else if (flags == 0) {
    freer = mi_os_thread_id();
  }
  atomic_store_explicit(&page->freer, freer, memory_order_relaxed);
}
/* To be called before another thread may own the segment, or before the page ends. */
mi_inline void mi_page_clear_freer(mi_page_t* page) {
  atomic_store_explicit(&page->freer, 0, memory_order_relaxed);
}

/* A *trap* makes the owner's next free in the page another one than a plain push, of which nobody
   hears: `freer` is cleared. It is set where others have freed blocks of the page and no round will
   look there again, since the owner may be the one who frees the last block. For any thread that
   has pinned the segment. False if there is one already, or if it would make no difference. */
mi_inline bool mi_page_set_trap(mi_page_t* page) {
  uintptr_t freer = atomic_load_explicit(&page->freer, memory_order_relaxed);
  return freer != 0 && (freer & MI_FREER_TO_MAGAZINE) == 0 &&
         atomic_compare_exchange_strong_explicit(&page->freer, &freer, 0, memory_order_relaxed,
                                                 memory_order_relaxed);
}
/* For the owner, which frees a block of the page: whether there is a trap, or `freer` is always
   clear. */
mi_inline bool mi_page_has_trap(const mi_page_t* page) {
  return page->stack == NULL && !mi_page_is_shared(page) &&
         atomic_load_explicit(&page->freer, memory_order_relaxed) == 0;
}

mi_inline void mi_page_set_flag(mi_page_t* page, uint8_t flag, bool on) {
  uint8_t flags = mi_page_flags(page);
  flags = (uint8_t)(on ? flags | flag : flags & ~flag);
  atomic_store_explicit(&page->flags, flags, memory_order_relaxed);
  mi_page_set_freer(page);
}

/* Empties the owner's lists of a page of which all blocks are free: from now on other threads have
   them. For the owner, and for a thread that stands in for it. */
mi_inline void mi_page_leave_lists(mi_page_t* page) {
  page->free = page->local_free = NULL;
  page->used = page->capacity = page->reserved;
  page->uncounted = 0;
}

/* Ends SHARED: from now on the owner does not free on thread_free. */
mi_inline void mi_page_unshare(mi_page_t* page) {
  page->owner_shared = 0;
  mi_page_set_flag(page, MI_PAGE_SHARED, false);
}

/* Whether the calling thread, the page's owner, has the lock that it must have to touch the lists
   of any of its pages. Nobody else touches those of pages that have no owner, or one block. */
mi_inline bool mi_page_is_locked(const mi_page_t* page) {
  const mi_owner_lock_t* lock = mi_segment_lock(mi_segment_of(page));
  return lock == NULL || mi_owner_is_inside(lock);
}

/* ---- Blocks ---- */

/* Pops a block. page->free must not be empty. */
mi_inline mi_block_t* mi_page_pop(mi_page_t* page) {
  mi_block_t* block = page->free;
  page->free = mi_block_next(page, block);
  /* The next pop reads this block, and then the program writes to it. For one instruction, the
     prefetch saves 4 % of the time of programs whose blocks are in no cache
     (bench/workloads/replace.c). */
  mi_prefetch(page->free);
  mi_block_unlink(block);
  page->used++;
  return block;
}

/* The block that contains p, an address in the page's blocks. For any thread that holds that block.
   Divides, so it is not for a fast path. */
mi_inline mi_block_t* mi_page_block_of(const mi_page_t* page, const void* p) {
  size_t offset = (size_t)((const uint8_t*)p - page->start);
  return (mi_block_t*)(page->start + offset - offset % page->block_size);
}

/* The number of the block that contains p, an address in the page's blocks. As above. */
mi_inline size_t mi_page_block_number(const mi_page_t* page, const void* p) {
  return (size_t)((const uint8_t*)p - page->start) / page->block_size;
}

/* Whether one of the first `count` blocks of the page begins at p, which may be any address. */
mi_inline bool mi_page_begins_block(const mi_page_t* page, const void* p, size_t count) {
  size_t offset = (uintptr_t)p - (uintptr_t)page->start;
  return offset < count * page->block_size && offset % page->block_size == 0;
}

/* Lays out more blocks: as many as lie in the system pages that the first of them touches, so that
   memory is touched no sooner than needed. If the memory behind the page's blocks was never
   touched, and it has some blocks already, also as many as lie in the next `ahead` system pages,
   which the system supplies all at once. `free` must be empty, and capacity < reserved. */
void mi_page_extend(mi_page_t* page, size_t ahead);

/* Forgets all blocks: they are laid out again as they are needed, in the order of their addresses.
   No block is alive, and none is on thread_free. */
void mi_page_start_anew(mi_page_t* page);

/* Lays out one block and takes it, without touching its memory. capacity < reserved. */
mi_inline mi_block_t* mi_page_take_next(mi_page_t* page) {
  mi_block_t* block = (mi_block_t*)(page->start + page->capacity * page->block_size);
  mi_track_lay_out(page, block, 1);
  page->capacity++;
  page->used++;
  return block;
}

/* Takes the block that the owner freed last. local_free must not be empty. */
mi_inline mi_block_t* mi_page_pop_local(mi_page_t* page) {
  mi_block_t* block = page->local_free;
  page->local_free = mi_block_next(page, block);
  mi_prefetch(page->local_free);
  mi_block_unlink(block);
  page->used++;
  return block;
}

/* Makes local_free, which is not empty, the new `free`. The old `free` must be empty, or its blocks
   must be on local_free by now. */
mi_inline void mi_page_adopt_local_free(mi_page_t* page) {
  page->free = page->local_free;
  page->local_free = NULL;
  page->free_is_zero = false;
}

/* Moves the blocks on thread_free to `free`; or to local_free, if `free` is not empty. If `free` is
   still empty then, it gets local_free. Afterwards the page is not SHARED, unless another thread
   holds the list to purge it. */
void mi_page_free_collect(mi_page_t* page);

/* The last block of a list that only the owner uses, and which is not empty; *count: its length.
   NULL if the list is a ring, which a block that was freed twice makes. */
mi_block_t* mi_page_last_of(const mi_page_t* page, mi_block_t* list, size_t* count);

/* For a page of one block, which another thread freed. False, and nothing has happened, if a thread
   is purging the block at this moment. Else the page is empty, unless the program freed the block
   twice. */
bool mi_page_collect_single(mi_page_t* page);

/* Like mi_page_free_collect, but also moves all of local_free to `free`, whether `free` is empty or
   not. */
void mi_page_free_collect_all(mi_page_t* page);

/* Whether no block is alive, if the page was just collected. If the page is watched: whether its
   owner is to look at it (mi_page_watch). */
mi_inline bool mi_page_is_empty(const mi_page_t* page) { return page->used == 0; }

/* Whether `used` leaves out some blocks, so that it becomes 0 before all are free: see
   mi_page_watch. */
mi_inline bool mi_page_is_watched(const mi_page_t* page) { return page->uncounted != 0; }

/* How many blocks are alive or on thread_free. */
mi_inline size_t mi_page_used(const mi_page_t* page) {
  return (size_t)page->used + page->uncounted;
}
/* Makes `used` count only `blocks` of the blocks that mi_page_used counts; `uncounted`, which must
   be 0, takes the rest. */
mi_inline void mi_page_count_only(mi_page_t* page, size_t blocks) {
  mi_assert(!mi_page_is_shared(page) && page->uncounted == 0);
  page->uncounted = (uint16_t)(page->used - blocks);
  page->used = (uint32_t)blocks;
}
/* Makes `used` count all blocks that mi_page_used counts. */
mi_inline void mi_page_count_all(mi_page_t* page) {
  page->used = (uint32_t)mi_page_used(page);
  page->uncounted = 0;
}

/* ---- States of thread_free (types.h) ---- */

/* How many blocks of a full page the owner, or other threads, must free before the page leaves the
   full queue. If one were enough, each free would move a page where random blocks are replaced, and
   each malloc another one. Both the owner and the others may have freed fewer than that, so the
   quota is at most half of the blocks. For blocks above MI_SMALL_BLOCK_MAX it is 1, since
   page/scavenge.h purges nothing in a page that is FULL; of smaller ones that costs a few KiB. */
mi_inline size_t mi_page_quota(const mi_page_t* page) {
  enum { SHARE = 16 };
  if (page->reserved < SHARE || page->block_size > MI_SMALL_BLOCK_MAX) return 1;
  return page->reserved / SHARE;
}

/* NORMAL -> FULL. False if thread_free is not empty, or another thread is at work on the page. */
bool mi_page_set_full(mi_page_t* page);
/* FULL -> NORMAL. In any other state, returns false and does nothing: a thread that notifies sets
   NORMAL itself. */
bool mi_page_clear_full(mi_page_t* page);
/* NORMAL -> FULL for a page that no other thread knows of. Release: as in mi_page_set_full. */
mi_inline void mi_page_set_full_alone(mi_page_t* page) {
  atomic_store_explicit(&page->thread_free, MI_TF_FULL, memory_order_release);
}
/* FULL -> NORMAL for a page of one block that its owner has freed: no other thread has the block,
   so none can push, and no atomic read-modify-write is needed. */
mi_inline void mi_page_clear_full_alone(mi_page_t* page) {
  if (atomic_load_explicit(&page->thread_free, memory_order_relaxed) != MI_TF_FULL) return;
  atomic_store_explicit(&page->thread_free, MI_TF_NORMAL, memory_order_relaxed);
}
/* Like mi_page_clear_full; then waits until no other thread is at work on the page: a few
   instructions of that thread, or one purge of a page. From then on no other thread uses page->heap
   until the page is FULL again. */
bool mi_page_settle(mi_page_t* page);
/* For a page whose blocks all die now: waits until no other thread is at work on the page, and
   empties thread_free. */
void mi_page_forget_frees(mi_page_t* page);
/* Like mi_page_forget_frees, for an abandoned page whose blocks are all free, and which the caller
   holds: calls mi_page_check_end. */
void mi_page_end_frees(mi_page_t* page);
/* In a forked child: completes what a lost thread was doing to the page. `held`: the segment is
   abandoned, and the lost thread that held it may have been about to free the page. */
void mi_page_forget_other_thread(mi_page_t* page, bool held);
/* Whether another thread is at work on the page. It will be done soon. */
mi_inline bool mi_page_is_busy(const mi_page_t* page) {
  /* Acquire: pairs with the releases in notify (heap/delayed.c) and in page/scavenge.c, with which
     that thread's work ends. */
  return mi_tf_state(atomic_load_explicit(&page->thread_free, memory_order_acquire)) == MI_TF_BUSY;
}

/* How many blocks are on thread_free: freed by other threads, or, if the page is SHARED, by the
   owner. Fewer while some are being purged. */
mi_inline size_t mi_page_thread_free_count(const mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return (word & MI_TF_WHOLE) != 0 ? page->reserved : mi_tf_count(word);
}

/* Whether there are blocks on thread_free, or the page was purged: then mi_page_free_collect has
   something to do. */
mi_inline bool mi_page_has_thread_free(const mi_page_t* page) {
  return (atomic_load_explicit(&page->thread_free, memory_order_relaxed) &
          ~(uintptr_t)MI_TF_STATE_MASK) != 0;
}

/* Whether `blocks` blocks are on thread_free, or the page was purged. */
mi_inline bool mi_page_has_so_many_back(const mi_page_t* page, size_t blocks) {
  /* Acquire: pairs with the release of each push (heap/delayed.c). */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  return mi_tf_count(word) == blocks || mi_tf_is_purged(word);
}
/* Whether all blocks that count as used were freed: they are on thread_free, or were purged with
   the page. */
mi_inline bool mi_page_has_come_back(const mi_page_t* page) {
  return mi_page_has_so_many_back(page, mi_page_used(page));
}
/* Like mi_page_has_come_back, for a page of an abandoned segment that the caller holds. */
mi_inline bool mi_page_abandoned_has_come_back(const mi_page_t* page) {
  /* Acquire: pairs with the release in mi_communal_page_free. */
  return mi_page_has_so_many_back(page, atomic_load_explicit(&page->link, memory_order_acquire));
}

/* The page after this one on its heap's delayed list. */
mi_inline mi_page_t* mi_page_delayed_next(const mi_page_t* page) {
  return (mi_page_t*)atomic_load_explicit(&page->link, memory_order_relaxed);
}

/* Whether more blocks can be laid out and thread_free is empty: blocks that were freed are used
   first. */
mi_inline bool mi_page_has_room(const mi_page_t* page) {
  return page->capacity < page->reserved && !mi_page_has_thread_free(page);
}

/* ---- Checks ---- */

/* Walks the three lists and tests every invariant of mi_page_t. For a page that neither its owner
   nor a thread that stands in for it is changing. */
bool mi_page_is_valid(mi_page_t* page);

/* Whether the block is on a list of the page, and so was freed already. Cheap unless the block
   looks like a free one. */
bool mi_page_block_is_free(const mi_page_t* page, const mi_block_t* block);

/* Whether each block that was laid out is on one list of the page, or is a hole, and so free for
   certain. `word`: what thread_free is, or was when the caller took it; no other thread is at work
   on it. */
bool mi_page_lists_have_all(const mi_page_t* page, uintptr_t word);

void mi_page_check_end_slow(const mi_page_t* page, uintptr_t word);
/* To be called before a page ends that counts as empty. Checked builds ask mi_page_lists_have_all.
   If not, a block was freed twice in place of one that is alive, or was written to after it was
   freed. */
mi_inline void mi_page_check_end(const mi_page_t* page, uintptr_t word) {
  if (MI_CHECKED) mi_page_check_end_slow(page, word);
}

#endif
