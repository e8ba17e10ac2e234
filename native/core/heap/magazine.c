#include "heap/magazine.h"

#include <string.h>

#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine_depth.h"
#include "heap/magazine_fence.h"
#include "heap/queue.h"
#include "segment/memory.h"
#include "segment/purge.h"
#include "segment/purger.h"

_Atomic(mi_magazine_t*) mi_magazines;

/* ---- Start and end ---- */

void mi_magazine_watch(mi_magazine_t* magazine) {
  if (!atomic_load_explicit(&magazine->was_watched, memory_order_relaxed)) {
    mi_magazine_expect_takers(magazine);
    atomic_store_explicit(&magazine->was_watched, true, memory_order_relaxed);
  }
  /* Release: a sweep that finds it set sees the blocks that are in the magazine. */
  atomic_store_explicit(&magazine->watched, true, memory_order_release);
  mi_magazine_announce();
}

static bool take(mi_magazine_t* magazine) {
  uintptr_t nobody = 0;
  if (atomic_load_explicit(&magazine->owner, memory_order_relaxed) != nobody) return false;
  /* Acquire: pairs with the release of mi_magazine_end_slow. */
  return atomic_compare_exchange_strong_explicit(&magazine->owner, &nobody, mi_os_thread_id(),
                                                 memory_order_acquire, memory_order_relaxed);
}

static mi_magazine_t* make(void) {
  mi_magazine_t* magazine = mi_memory_map(sizeof(*magazine), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (magazine == NULL) return NULL;
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    size_t block_size = mi_bin_block_size(mi_bin_of(MI_SMALL_SIZE_MAX) + 1 + i);
    magazine->stacks[i].block_size = (uint32_t)block_size;
    magazine->stacks[i].slots = magazine->slots[i];
  }
  mi_magazine_start_anew(magazine);
  atomic_store_explicit(&magazine->owner, mi_os_thread_id(), memory_order_relaxed);
  magazine->next = atomic_load_explicit(&mi_magazines, memory_order_relaxed);
  /* Release: pairs with the acquire of a thread that walks the list, which then sees `next`. */
  while (!atomic_compare_exchange_weak_explicit(&mi_magazines, &magazine->next, magazine,
                                                memory_order_release, memory_order_relaxed)) {
  }
  return magazine;
}

static mi_magazine_t* find_or_make(void) {
  mi_magazine_t* magazine = atomic_load_explicit(&mi_magazines, memory_order_acquire);
  while (magazine != NULL && !take(magazine)) magazine = magazine->next;
  return magazine != NULL ? magazine : make();
}

void mi_magazine_take_page(mi_heap_t* heap, mi_page_t* page) {
  if (mi_heap_shares(heap, page)) mi_page_offer(page);
  if (mi_page_is_shared(page)) mi_magazine_set_freer(heap, page);
}

/* One page of each class is as good as a new one: that from which malloc takes, or is just about to
   take. */
static void begin_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  if (page->reserved == 1) return;
  if (page == heap->pages[page->bin].first) {
    mi_magazine_set_freer(heap, page);
  } else {
    mi_magazine_take_page(heap, page);
  }
}

void mi_magazine_start_slow(mi_heap_t* heap) {
  if (MI_TRACK || heap != &heap->tld->backing) return;
  long delay = mi_option_get(mi_option_purge_delay);
  if (delay == 0) return; /* no memory is to wait */
  heap->magazine = find_or_make();
  if (heap->magazine == NULL) return;
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) heap->stacks[i] = &heap->magazine->stacks[i];
  if (delay > 0) mi_magazine_watch(heap->magazine);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, begin_page, NULL);
}

void mi_magazine_end_slow(mi_heap_t* heap) {
  mi_magazine_t* magazine = heap->magazine;
  heap->magazine = NULL;
  memset(heap->stacks, 0, sizeof(heap->stacks));
  atomic_store_explicit(&magazine->watched, false, memory_order_relaxed);
  atomic_store_explicit(&magazine->owner, 0, memory_order_release);
}

/* ---- Giving blocks back ---- */

void mi_magazine_return(mi_block_t* block) {
  if (MI_HARDENED) mi_magazine_check(block);
  mi_page_return_block(mi_page_of(block), block);
}

mi_block_t* mi_magazine_pop(mi_magazine_t* magazine, mi_magazine_stack_t* stack) {
  mi_block_t* block = NULL;
  size_t in_use;
  while (block == NULL && (in_use = mi_magazine_in_use(stack)) > 0) {
    block = mi_magazine_pop_top(magazine, stack, in_use);
  }
  return block;
}

bool mi_magazine_return_one(mi_magazine_t* magazine, mi_magazine_stack_t* stack) {
  mi_block_t* block = mi_magazine_pop(magazine, stack);
  if (block == NULL) return false;
  mi_page_return_block(mi_page_of(block), block);
  return true;
}

void mi_magazine_flush_slow(mi_magazine_t* magazine) {
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    while (mi_magazine_return_one(magazine, &magazine->stacks[i])) {
    }
  }
  mi_magazine_start_anew(magazine);
}

void mi_magazine_settle_slow(mi_magazine_t* magazine) {
  mi_magazine_flush_slow(magazine);
  /* A sweep that took a block before we found it gone is seen here: mi_magazine_empty_slot. */
  _Atomic(uint32_t)* visitors = &magazine->visitors;
  for (unsigned round = 0; atomic_load_explicit(visitors, memory_order_acquire) != 0; round++) {
    mi_os_yield(round);
  }
}

bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin) {
  if (bin <= mi_bin_of(MI_SMALL_SIZE_MAX) || bin >= MI_BIN_LARGE) {
    return false;
  }
  mi_block_t* block = mi_magazine_pop(heap->magazine, mi_magazine_stack(heap, bin));
  if (block == NULL) return false;
  mi_page_t* page = mi_page_of(block);
  /* malloc is to find the page, however few of its blocks are free. First, since the page may end
     with this block. */
  if (page->in_full && mi_page_clear_full(page)) mi_page_leave_full(heap, page);
  mi_page_return_block(page, block);
  mi_heap_delayed_free(heap);
  return true;
}

/* ---- Putting blocks in ---- */

_Atomic(int64_t) mi_magazine_due;
_Atomic(bool) mi_magazine_announced;

void mi_magazine_announce(void) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  if (at == 0) return;
  /* Sequentially consistent, both: see sweep_and_announce (heap/magazine_sweep.c). */
  atomic_store(&mi_magazine_announced, true);
  int64_t nothing = 0;
  if (atomic_compare_exchange_strong(&mi_magazine_due, &nothing, at)) {
    mi_purger_count(MI_WAITING_MAGAZINES, 1);
  }
}

void mi_magazine_announce_and_tell(const mi_page_t* page) {
  const mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  if (!mi_magazine_is_watched(heap->magazine)) return;
  if (!atomic_load_explicit(&mi_magazine_announced, memory_order_relaxed)) mi_magazine_announce();
  size_t in_use = mi_magazine_in_use(page->stack);
  if (in_use < mi_magazine_tells_at(page->stack)) return;
  mi_magazine_tell_beyond(page->stack, in_use);
  if (mi_purge_time(MI_PURGE_LOOKS) == 0) return; /* nothing is ever purged */
  mi_purger_count(MI_WAITING_MAGAZINES, 1);
}

size_t mi_magazine_count(const mi_page_t* page) {
  const _Atomic(uintptr_t)* slots = page->stack->slots;
  size_t in_use = mi_magazine_in_use(page->stack);
  /* What mi_page_contains asks, once for all slots: a free without room may wait for this. */
  uintptr_t start = (uintptr_t)page->start;
  size_t size = page->reserved * page->block_size;
  size_t count = 0;
  for (size_t i = 0; i < in_use; i++) {
    count += atomic_load_explicit(&slots[i], memory_order_relaxed) - start < size;
  }
  return count;
}

/* Returns the blocks of the page. The others stay where they are, for sweeps to see. */
static void return_those_of(mi_page_t* page) {
  mi_magazine_stack_t* stack = page->stack;
  for (size_t i = mi_magazine_in_use(stack); i-- > 0;) {
    _Atomic(uintptr_t)* slot = &stack->slots[i];
    uintptr_t word = atomic_load_explicit(slot, memory_order_relaxed);
    if (!mi_page_contains(page, mi_magazine_block(word))) continue;
    /* The slot is in use, so others may be taking the block. Acquire: mi_magazine_empty_slot. */
    word = atomic_exchange_explicit(slot, 0, memory_order_acquire);
    mi_block_t* block = mi_magazine_block(word);
    if (block != NULL) mi_magazine_return(block);
  }
  mi_magazine_trim(stack);
}

/* If the page, of which a block is being freed, is in use only for that block and those in the
   magazine, these go back to it. */
static void let_go(mi_magazine_t* magazine, mi_page_t* page, size_t in_use) {
  size_t others = mi_magazine_count_alive(page) - 1;
  if (others == 0 || others > in_use || others > mi_magazine_count(page)) return;
  return_those_of(page);
  mi_magazine_close(magazine, page->stack);
}

bool mi_magazine_free(mi_heap_t* heap, mi_page_t* page, mi_block_t* block) {
  if (heap->visiting) return false;
  mi_magazine_stack_t* stack = page->stack;
  mi_magazine_trim(stack); /* others may have taken some out */
  size_t in_use = mi_magazine_in_use(stack);
  if (!mi_magazine_wants(page, in_use)) return false;
  if (!mi_magazine_has_room(stack, in_use)) {
    let_go(heap->magazine, page, in_use);
    mi_magazine_overflow(heap->magazine, stack);
    return false;
  }
  mi_magazine_push(stack, in_use, page, block);
  return true;
}

bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block) {
  if (page->stack == NULL) return false;
  size_t in_use = mi_magazine_in_use(page->stack);
  for (size_t i = 0; i < in_use; i++) {
    uintptr_t word = atomic_load_explicit(&page->stack->slots[i], memory_order_relaxed);
    if (mi_magazine_block(word) == block) return true;
  }
  return false;
}

void mi_magazine_check(mi_block_t* block) {
  const mi_page_t* page = mi_page_of(block);
  if (mi_block_peek_next(page, block) != NULL) mi_block_report_written(block);
  mi_block_unlink(block);
}
