/* A page and its three lists. For the owner only, unless said otherwise. */
#ifndef MI_PAGE_H
#define MI_PAGE_H

#include "page/block.h"
#include "page/size_class.h"
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
/* The page came back whole, and was purged. */
mi_inline bool mi_tf_is_purged(uintptr_t word) { return word == (MI_TF_WHOLE | MI_TF_NORMAL); }
_Static_assert(MI_ADDRESS_BITS <= MI_TF_COUNT_SHIFT, "the count lies above any address");

/* ---- Flags ---- */

/* Relaxed: HAS_ALIGNED is set before the address it is about is handed out. There is one writer, so no
   read-modify-write is needed. */
mi_inline uint8_t mi_page_flags(const mi_page_t* page) {
  return atomic_load_explicit(&page->flags, memory_order_relaxed);
}
mi_inline bool mi_page_is_shared(const mi_page_t* page) {
  return (mi_page_flags(page) & MI_PAGE_SHARED) != 0;
}

/* Whether it is worth it to have the owner free as others do: 6 ns for each of its frees, so that others can purge
   the page. */
mi_inline bool mi_page_others_prevail(size_t owner, size_t others) { return 2 * others >= owner; }

/* ---- Who frees here in the plain way ---- */

/* Any thread. Relaxed: the answer "I" cannot change behind my back. */
mi_inline bool mi_page_is_freer(const mi_page_t* page) { return mi_os_is_thread_id(&page->freer); }
/* For the owner, whenever the flags or to_magazine changed. */
mi_inline void mi_page_set_freer(mi_page_t* page) {
  bool plain = mi_page_flags(page) == 0 && !page->to_magazine;
  atomic_store_explicit(&page->freer, plain ? mi_os_thread_id() : 0, memory_order_relaxed);
}
/* Before another thread may own the segment, or the page may end. */
mi_inline void mi_page_clear_freer(mi_page_t* page) {
  atomic_store_explicit(&page->freer, 0, memory_order_relaxed);
}

mi_inline void mi_page_set_flag(mi_page_t* page, uint8_t flag, bool on) {
  uint8_t flags = mi_page_flags(page);
  flags = (uint8_t)(on ? flags | flag : flags & ~flag);
  atomic_store_explicit(&page->flags, flags, memory_order_relaxed);
  mi_page_set_freer(page);
}

/* From now on the owner frees in the plain way. */
mi_inline void mi_page_unshare(mi_page_t* page) {
  page->owner_shared = 0;
  mi_page_set_flag(page, MI_PAGE_SHARED, false);
}

/* ---- Blocks ---- */

/* Pops a block; page->free must not be empty. */
mi_inline mi_block_t* mi_page_pop(mi_page_t* page) {
  mi_block_t* block = page->free;
  page->free = mi_block_next(page, block);
  /* The next pop reads it, and the program writes there. 4 % of the time of programs whose blocks are in
     no cache (bench/workloads/replace.c), for one instruction. */
  mi_prefetch(page->free);
  mi_block_unlink(block);
  page->used++;
  return block;
}

/* The block that holds p, an address in the page's blocks. Any thread that holds that block.
   Divides: not for a fast path. */
mi_inline mi_block_t* mi_page_block_of(const mi_page_t* page, const void* p) {
  size_t offset = (size_t)((const uint8_t*)p - page->start);
  return (mi_block_t*)(page->start + offset - offset % page->block_size);
}

/* Lays out some more blocks: as far as the system pages reach that the first of them touches, so that memory is touched
   no sooner than needed. Of memory that was never touched, also `ahead` more system pages, all had from the system at
   once. `free` must be empty and capacity < reserved. */
void mi_page_extend(mi_page_t* page, size_t ahead);

/* No block is alive, and none is on thread_free: all of them will be laid out again as they are needed, one behind the
   other. */
void mi_page_start_anew(mi_page_t* page);

/* Lays out one block, and takes it: no memory is touched. capacity < reserved. */
mi_inline mi_block_t* mi_page_take_next(mi_page_t* page) {
  mi_block_t* block = (mi_block_t*)(page->start + page->capacity * page->block_size);
  mi_track_lay_out(page, block, 1);
  page->capacity++;
  page->used++;
  return block;
}

/* Takes what the owner freed last; local_free must not be empty. */
mi_inline mi_block_t* mi_page_pop_local(mi_page_t* page) {
  mi_block_t* block = page->local_free;
  page->local_free = mi_block_next(page, block);
  mi_prefetch(page->local_free);
  mi_block_unlink(block);
  page->used++;
  return block;
}

/* Makes local_free, which is not empty, the new `free`. What was on `free` must be on it, or
   nothing. */
mi_inline void mi_page_adopt_local_free(mi_page_t* page) {
  page->free = page->local_free;
  page->local_free = NULL;
  page->free_is_zero = false;
}

/* Takes what other threads and the owner freed into `free`, if `free` is empty; else only what
   other threads freed, into local_free. From then on the owner frees in the plain way. */
void mi_page_free_collect(mi_page_t* page);

/* The last block of a list of the owner, which is not empty, and how many there are. NULL if it is a ring, which
   a block that was freed twice makes. */
mi_block_t* mi_page_last_of(const mi_page_t* page, mi_block_t* list, size_t* count);

/* Of a page of one block, which another thread freed. False, and nothing has happened: somebody is just purging the
   block. Else the page is empty, unless the program freed the block twice. */
bool mi_page_collect_single(mi_page_t* page);

/* As mi_page_free_collect, and empties local_free whatever `free` holds. */
void mi_page_free_collect_all(mi_page_t* page);

/* No block is alive, after a collect. Of a page that is watched: its owner is to look at it. */
mi_inline bool mi_page_is_empty(const mi_page_t* page) { return page->used == 0; }

/* `used` leaves out some blocks, and becomes 0 before all are free: see mi_page_retire. */
mi_inline bool mi_page_is_watched(const mi_page_t* page) {
  return !mi_page_is_shared(page) && page->uncounted != 0;
}

/* Blocks alive, and blocks on thread_free. */
mi_inline size_t mi_page_used(const mi_page_t* page) {
  return (size_t)page->used + (mi_page_is_shared(page) ? 0 : page->uncounted);
}
/* Leaves the rest of them out of `used`. */
mi_inline void mi_page_count_only(mi_page_t* page, size_t blocks) {
  mi_assert(!mi_page_is_shared(page)); /* the word counts something else there */
  page->uncounted = (uint16_t)(page->used - blocks);
  page->used = (uint16_t)blocks;
}
mi_inline void mi_page_count_all(mi_page_t* page) {
  if (mi_page_is_shared(page)) return;
  page->used = (uint16_t)mi_page_used(page);
  page->uncounted = 0;
}

/* ---- States of thread_free (types.h) ---- */

/* A page stays in the full queue until its owner, or others, freed so many of its blocks: where random ones
   are replaced, each free would move a page otherwise, and each malloc another one. What the owner and
   others freed may both be fewer, so it must be no more than half of the blocks. Of blocks above
   MI_SMALL_BLOCK_MAX each is to be seen by page/scavenge.h. */
mi_inline size_t mi_page_quota(const mi_page_t* page) {
  enum { SHARE = 16 };
  if (page->reserved < SHARE || page->block_size > MI_SMALL_BLOCK_MAX) return 1;
  return page->reserved / SHARE;
}

/* NORMAL -> FULL. Fails if thread_free is not empty, or while another thread notifies. */
bool mi_page_set_full(mi_page_t* page);
/* FULL -> NORMAL. False, and nothing happens, in another state: a thread that notifies sets NORMAL
   itself. */
bool mi_page_clear_full(mi_page_t* page);
/* As mi_page_clear_full, and then waits for a thread that notifies to be done: a few instructions of
   that thread, or one purge of a page. From then on no other thread uses page->heap until the page
   is FULL again. */
bool mi_page_settle(mi_page_t* page);
/* For a page whose blocks all die now: empties thread_free, and waits for a thread that is at work
   there. */
void mi_page_forget_frees(mi_page_t* page);
/* In a forked child: the thread that was at work on the page is not there. `held`: nor is the one that held its
   segment, which is abandoned, and may have been about to free the page. */
void mi_page_forget_other_thread(mi_page_t* page, bool held);
/* Another thread is at work on the page, and will be done soon. */
mi_inline bool mi_page_is_notifying(const mi_page_t* page) {
  /* Acquire pairs with the notifier's last release. */
  return mi_tf_state(atomic_load_explicit(&page->thread_free, memory_order_acquire)) ==
         MI_TF_NOTIFYING;
}

/* Blocks that other threads freed, and the owner if the page is SHARED, unless some are just being purged. */
mi_inline size_t mi_page_others_freed(const mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return (word & MI_TF_WHOLE) != 0 ? page->reserved : mi_tf_count(word);
}

/* Of these, what the owner freed. Owner. */
mi_inline size_t mi_page_owner_shared(const mi_page_t* page) {
  return mi_page_is_shared(page) ? page->owner_shared : 0;
}

/* Other threads freed blocks here, or the page was purged: mi_page_free_collect has something to do. */
mi_inline bool mi_page_has_thread_free(const mi_page_t* page) {
  return (atomic_load_explicit(&page->thread_free, memory_order_relaxed) &
          ~(uintptr_t)MI_TF_STATE_MASK) != 0;
}

mi_inline bool mi_page_has_so_many_back(const mi_page_t* page, size_t blocks) {
  /* Acquire pairs with the release of each push. */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  return mi_tf_count(word) == blocks || mi_tf_is_purged(word);
}
/* All blocks that are alive for the owner came back from other threads. */
mi_inline bool mi_page_has_come_back(const mi_page_t* page) {
  return mi_page_has_so_many_back(page, mi_page_used(page));
}
/* The same for a page of an abandoned segment that the caller holds. */
mi_inline bool mi_page_abandoned_has_come_back(const mi_page_t* page) {
  /* Acquire pairs with the release of mi_communal_page_free. */
  return mi_page_has_so_many_back(page, atomic_load_explicit(&page->link, memory_order_acquire));
}

/* The page after this one on its heap's delayed list. */
mi_inline mi_page_t* mi_page_delayed_next(const mi_page_t* page) {
  return (mi_page_t*)atomic_load_explicit(&page->link, memory_order_relaxed);
}

/* More blocks can be laid out, and no other thread's frees wait here, which come first. */
mi_inline bool mi_page_has_room(const mi_page_t* page) {
  return page->capacity < page->reserved && !mi_page_has_thread_free(page);
}

/* ---- Checks ---- */

/* Walks the three lists and tests every invariant of mi_page_t. For a page at rest. */
bool mi_page_is_valid(mi_page_t* page);

/* True if the block is on a list of the page: it was freed already. Cheap unless the block looks like a
   free one. */
bool mi_page_block_is_free(const mi_page_t* page, const mi_block_t* block);

#endif
