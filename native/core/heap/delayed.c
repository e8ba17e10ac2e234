/* free() without its fast path: by the owner, and by other threads. The protocol between them is
   that of mi_page_t.thread_free in types.h. */
#include "heap/delayed.h"

#include "heap/communal.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/retire.h"
#include "os/rare.h"
#include "page/page.h"
#include "page/scavenge.h"
#include "segment/huge.h"
#include "segment/owner_lock.h"

static void push_delayed(mi_heap_t* heap, mi_page_t* page) {
  mi_page_t* head = atomic_load_explicit(&heap->delayed, memory_order_relaxed);
  do {
    atomic_store_explicit(&page->link, (uintptr_t)head, memory_order_relaxed);
    /* Release: pairs with the acquire in mi_heap_delayed_free, which then sees the link. */
  } while (!atomic_compare_exchange_weak_explicit(&heap->delayed, &head, page, memory_order_release,
                                                  memory_order_relaxed));
}

/* Blocks linked from `first` to `last`. */
typedef struct blocks_s {
  mi_block_t* first;
  mi_block_t* last;
  size_t count;
} blocks_t;

static blocks_t only(mi_block_t* block) { return (blocks_t){block, block, 1}; }

/* Links the blocks in front of thread_free's list. Returns what the word thread_free is after the
   push. */
static uintptr_t pushed(mi_page_t* page, const blocks_t* blocks, uintptr_t word) {
  mi_block_set_next(page, blocks->last, mi_tf_list(word));
  size_t count = mi_tf_count(word) + blocks->count;
  uintptr_t state = mi_tf_state(word);
  if (state == MI_TF_FULL && count >= mi_page_quota(page)) state = MI_TF_BUSY;
  if (count == page->reserved && page->bin != MI_BIN_HUGE) state |= MI_TF_WHOLE;
  return mi_tf_make(blocks->first, count, state);
}

/* Puts a page that was FULL, and that our push made BUSY, on its heap's delayed list: so the
   owner looks at it. */
static void notify(mi_page_t* page) {
  mi_race_window();
  push_delayed(atomic_load_explicit(&page->heap, memory_order_acquire), page);
  mi_race_window();
  /* BUSY -> NORMAL, keeping what other threads pushed meanwhile. Release: pairs with the
     acquire in mi_page_is_busy; our use of the heap is over. After this the page may be
     gone. */
  atomic_fetch_and_explicit(&page->thread_free, ~(uintptr_t)MI_TF_STATE_MASK, memory_order_release);
}

/* Purges a huge block in a mapping of its own, which an owner that sleeps would hold for ever. Huge
   blocks in slots are left to page/scavenge.c. */
static void purge_mapping(mi_page_t* page) {
  if (mi_option_get(mi_option_purge_delay) >= 0) mi_huge_page_purge(page);
}

static mi_noinline void free_huge_mt(mi_page_t* page, mi_block_t* block) {
  /* Read now: after the push the segment may be gone. */
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_of(page));
  size_t size = page->block_size;
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  if (slot.chunk == NULL && mi_tf_state(word) == MI_TF_FULL) {
    /* This may take a while, so not while BUSY: other threads wait for that to end. */
    purge_mapping(page);
  }
  /* Acquire: pairs with the release in abandon_huge (heap/reclaim.c); we see the header of an
     UNOWNED page as its owner left it. */
  word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  const blocks_t blocks = only(block);
  do {
    if (mi_unlikely(mi_tf_state(word) == MI_TF_UNOWNED)) {
      mi_huge_page_free(page);
      return;
    }
    mi_race_window();
    /* Release and acquire: as explained in `push`. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word,
                                                  pushed(page, &blocks, word), memory_order_acq_rel,
                                                  memory_order_acquire));
  if (mi_tf_state(word) == MI_TF_FULL) notify(page);
  if (slot.chunk != NULL) mi_scavenge_announce(slot, size);
}

/* Whether a push that makes thread_free this word is worth announcing: all of the page is free, or
   just half of a coarse one. A push of several blocks (mi_page_share) may leap over the half. */
mi_inline bool is_much(const mi_page_t* page, uintptr_t word) {
  return (word & MI_TF_WHOLE) != 0 ||
         (mi_page_is_coarse(page) && mi_tf_count(word) == page->reserved / 2u);
}

/* Pushes blocks on thread_free of a page that is not huge. Returns how many blocks are on it
   then. */
mi_inline size_t push(mi_page_t* page, blocks_t blocks) {
  /* Read now: after the push the page and its segment may be gone. */
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_of(page));
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  uintptr_t wanted;
  size_t bytes; /* that are free now, if they are worth announcing */
  do {
    wanted = pushed(page, &blocks, word);
    bytes = mi_unlikely(is_much(page, wanted)) ? mi_tf_count(wanted) * page->block_size : 0;
    mi_race_window();
    /* Release: pairs with the acquire with which the list is taken (page/collect.c,
       page/scavenge.c): that thread sees the links, and our last writes to the blocks are over.
       Acquire: pairs with the release in mi_page_set_full; with BUSY, we see page->heap. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, wanted,
                                                  memory_order_acq_rel, memory_order_relaxed));
  if (mi_unlikely(mi_tf_state(word) != mi_tf_state(wanted))) notify(page);
  if (mi_unlikely(bytes != 0)) {
    mi_scavenge_announce(slot, bytes);
  } else if (mi_tf_state(wanted) != MI_TF_FULL && mi_unlikely(!mi_scavenge_is_marked(slot))) {
    mi_scavenge_hint(slot);
  }
  return mi_tf_count(wanted);
}

void mi_page_free_block_mt(mi_page_t* page, mi_block_t* block) {
  if (mi_unlikely(page->bin == MI_BIN_HUGE)) {
    free_huge_mt(page, block);
  } else {
    if (mi_unlikely(page->reserved == 1)) mi_communal_note_foreign_free();
    push(page, only(block));
  }
}

static void collect_and_retire(mi_page_t* page) {
  mi_page_free_collect(page);
  if (mi_page_is_empty(page)) mi_page_retire(page);
}

/* For a SHARED page of which all blocks were freed, the last one by its owner. */
static void take_back(mi_page_t* page) {
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_owner_enter(lock);
  if (page->in_full) {
    mi_heap_delayed_free(heap);
  } else if (!mi_page_is_busy(page)) {
    collect_and_retire(page);
  }
  mi_owner_leave(lock);
}

void mi_page_free_block(mi_page_t* page, mi_block_t* block) {
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  if (page->stack != NULL && mi_magazine_free(heap, page, block)) return;
  mi_page_return_block(page, block);
}

static void push_local(mi_page_t* page, mi_block_t* block) {
  mi_block_set_next(page, block, page->local_free);
  page->local_free = block;
  page->used--;
}

/* Frees a block, and ends the trap: if others have freed blocks of the page, a round looks at it
   again. */
static mi_noinline void free_in_trap(mi_page_t* page, mi_block_t* block) {
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_of(page));
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_owner_enter(lock);
  push_local(page, block);
  mi_page_set_freer(page);
  /* Either we see that the mark is gone, or the round that takes it sees all this. */
  atomic_thread_fence(memory_order_seq_cst);
  if (mi_page_has_thread_free(page) && !mi_scavenge_is_marked(slot)) mi_scavenge_hint(slot);
  if (mi_page_is_empty(page)) mi_page_retire(page);
  mi_owner_leave(lock);
}

void mi_page_return_block(mi_page_t* page, mi_block_t* block) {
  if (mi_page_is_shared(page)) {
    page->owner_shared++;
    if (push(page, only(block)) == page->reserved) take_back(page);
  } else if (mi_unlikely(mi_page_has_trap(page))) {
    free_in_trap(page, block);
  } else {
    push_local(page, block);
    if (mi_page_is_empty(page)) mi_page_retire(page);
  }
}

bool mi_page_free_block_unowned(mi_page_t* page, mi_block_t* block) {
  size_t all = atomic_load_explicit(&page->link, memory_order_relaxed);
  return push(page, only(block)) == all;
}

void mi_page_share(mi_page_t* page) {
  if (mi_page_is_shared(page)) return;
  blocks_t blocks = {page->local_free, NULL, 0};
  if (blocks.first != NULL) {
    blocks.last = mi_page_last_of(page, blocks.first, &blocks.count);
    if (mi_unlikely(blocks.last == NULL)) return; /* mi_page_free_collect_all will report it */
  }
  mi_page_count_all(page);
  mi_page_set_flag(page, MI_PAGE_SHARED, true);
  if (blocks.first == NULL) return;
  page->local_free = NULL;
  page->used = (uint32_t)(page->used + blocks.count);
  page->owner_shared = (uint16_t)(page->owner_shared + blocks.count);
  push(page, blocks);
}

void mi_page_offer(mi_page_t* page) {
  if (!mi_page_is_coarse(page) || page->reserved == 1 || page->capacity < page->reserved) return;
  if (page->retire_expire != 0 || mi_page_is_shared(page)) return;
  if (page->free != NULL) {
    size_t count;
    mi_block_t* last = mi_page_last_of(page, page->free, &count);
    if (mi_unlikely(last == NULL)) return; /* as in mi_page_share */
    mi_block_set_next(page, last, page->local_free);
    page->local_free = page->free;
    page->free = NULL;
  }
  mi_page_share(page);
}

/* Like `complete`, for a page of one block. It stays in the full queue until it is given
   back, or kept. */
static bool complete_single(mi_page_t* page) {
  if (!mi_page_collect_single(page)) return false;
  if (mi_page_is_empty(page)) mi_page_retire(page);
  return true;
}

/* Completes the frees in a page that was on the delayed list: it is an ordinary page again. False
   if that must wait. */
static bool complete(mi_heap_t* heap, mi_page_t* page) {
  if (mi_page_is_busy(page)) return false; /* the page may not end yet */
  mi_race_window();
  if (page->reserved == 1) return complete_single(page);
  if (mi_page_thread_free_count(page) > page->owner_shared) mi_heap_others_free(heap);
  mi_page_leave_full(heap, page);
  if (mi_page_has_come_back(page)) {
    collect_and_retire(page);
  } else {
    mi_page_share(page);
  }
  return true;
}

bool mi_heap_has_delayed(mi_heap_t* heap) {
  return atomic_load_explicit(&heap->delayed, memory_order_relaxed) != NULL;
}

void mi_heap_delayed_free(mi_heap_t* heap) {
  if (mi_likely(!mi_heap_has_delayed(heap))) return;
  /* Acquire: pairs with the release in push_delayed. */
  mi_page_t* page = atomic_exchange_explicit(&heap->delayed, NULL, memory_order_acquire);
  while (page != NULL) {
    mi_page_t* next = mi_page_delayed_next(page);
    if (mi_unlikely(!complete(heap, page))) push_delayed(heap, page);
    page = next;
  }
}

void mi_heap_delayed_drop(mi_heap_t* heap) {
  /* Acquire: pairs with the release in push_delayed. */
  (void)atomic_exchange_explicit(&heap->delayed, NULL, memory_order_acquire);
}

static void complete_in_child(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  mi_page_forget_other_thread(page, false);
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  if (page->in_full && mi_tf_state(word) != MI_TF_FULL) complete(heap, page);
  /* There may be no round before this thread frees the last block. */
  if (mi_page_has_thread_free(page)) mi_page_set_trap(page);
}

void mi_heap_delayed_free_in_child(mi_heap_t* heap) {
  /* All pages are looked at, so it does not matter whether a lost thread had put a page on this
     list yet. */
  atomic_store_explicit(&heap->delayed, NULL, memory_order_relaxed);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, complete_in_child, NULL);
}
