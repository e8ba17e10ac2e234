/* The walker of a heap's invariants. */
#include <string.h>

#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/retire.h"
#include "heap/thread.h"
#include "segment/owner_lock.h"

static bool direct_is_valid(mi_heap_t* heap) {
  for (size_t words = 0; words < MI_DIRECT_COUNT; words++) {
    mi_page_t* page = heap->pages[mi_bin_of(words * MI_WORD_SIZE)].first;
    if (page == NULL) page = mi_heap_empty.pages_free_direct[0];
    if (heap->pages_free_direct[words] != page) return false;
  }
  return true;
}

static bool page_belongs(mi_heap_t* heap, mi_page_t* page, unsigned queue) {
  mi_segment_t* segment = mi_segment_of(page);
  if (atomic_load_explicit(&page->heap, memory_order_relaxed) != heap) return false;
  if (page->tag != heap->tag) return false;
  if (!mi_segment_is_mine(segment) || segment->cookie != mi_segment_cookie(segment)) return false;
  if ((mi_segment_pages(segment) >> mi_page_index(segment, page) & 1) == 0) return false;
  if (page->in_full && page->reserved > 1 && page->retire_expire != 0) return false;
  if (page->in_full) return queue == MI_QUEUE_OF_FULL;
  if (page->reserved == 1) return false;
  return queue == page->bin && page->block_size == mi_bin_block_size(queue);
}

/* Whether the delayed list has every page of the full queue that is NORMAL and has blocks on
   thread_free. */
static bool delayed_is_valid(mi_heap_t* heap) {
  size_t noticed = 0;
  for (mi_page_t* page = heap->pages[MI_QUEUE_OF_FULL].first; page != NULL; page = page->next) {
    uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
    noticed += mi_tf_state(word) == MI_TF_NORMAL && word != MI_TF_NORMAL;
  }
  /* Other threads may add pages meanwhile, but only in front. */
  size_t listed = 0;
  mi_page_t* page = atomic_load_explicit(&heap->delayed, memory_order_acquire);
  for (; page != NULL; page = mi_page_delayed_next(page), listed++) {
    if (!page->in_full || listed > heap->page_count) return false;
    if (atomic_load_explicit(&page->heap, memory_order_relaxed) != heap) return false;
  }
  return listed >= noticed;
}

static bool slot_is_valid(const mi_heap_t* heap, const mi_magazine_stack_t* stack, unsigned index) {
  const _Atomic(uintptr_t)* slot = &stack->slots[index];
  uintptr_t word = atomic_load_explicit(slot, memory_order_relaxed);
  const mi_block_t* block = mi_magazine_block(word);
  if (block == NULL) return true;
  const mi_page_t* page = mi_page_of(block);
  bool is_valid = atomic_load_explicit(&page->heap, memory_order_relaxed) == heap &&
                  page->stack == stack && page->block_size == stack->block_size &&
                  mi_page_block_of(page, block) == block && !mi_page_block_is_free(page, block);
  /* Another thread may have taken the block meanwhile. */
  return is_valid || atomic_load_explicit(slot, memory_order_relaxed) != word;
}

static bool counts_magazine(const mi_page_t* page) {
  return page->stack == NULL || mi_magazine_count(page) <= mi_page_used(page);
}

static bool stack_is_valid(const mi_heap_t* heap, const mi_magazine_stack_t* stack) {
  size_t in_use = mi_magazine_in_use(stack);
  size_t held = 0;
  if (heap->visiting && in_use != 0) return false;
  for (unsigned i = 0; i < MI_MAGAZINE_DEPTH; i++) {
    if (!slot_is_valid(heap, stack, i)) return false;
    bool is_empty = atomic_load_explicit(&stack->slots[i], memory_order_relaxed) == 0;
    if (i >= in_use && !is_empty) return false;
    held += !is_empty;
  }
  return held <= mi_magazine_depth(stack);
}

static bool magazine_is_valid(const mi_heap_t* heap) {
  const mi_magazine_t* magazine = heap->magazine;
  if (magazine == NULL) return true;
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    if (!stack_is_valid(heap, &magazine->stacks[i])) return false;
  }
  return true;
}

static bool singles_are_valid(const mi_heap_t* heap) {
  for (unsigned i = 0; i < heap->single_count; i++) {
    const mi_page_t* page = heap->singles[i];
    if (atomic_load_explicit(&page->heap, memory_order_relaxed) != heap || !page->in_full ||
        !mi_page_is_empty(page) || mi_page_has_thread_free(page) ||
        (mi_page_flags(page) & ~MI_PAGE_HAS_ALIGNED) != MI_PAGE_UNUSED) {
      return false;
    }
  }
  return true;
}

static bool is_valid(mi_heap_t* heap) {
  size_t count = 0;
  uint32_t pages_of[MI_PAGE_QUEUES] = {0};
  for (unsigned queue = 0; queue < MI_PAGE_QUEUES; queue++) {
    const mi_page_t* prev = NULL;
    for (mi_page_t* page = heap->pages[queue].first; page != NULL; prev = page, page = page->next) {
      if (page->prev != prev || !page_belongs(heap, page, queue) || !mi_page_is_valid(page) ||
          !counts_magazine(page)) {
        return false;
      }
      count++;
      pages_of[mi_page_counter(page)]++;
    }
    if (heap->pages[queue].last != prev) return false;
  }
  if (!singles_are_valid(heap)) return false;
  return count == heap->page_count && memcmp(pages_of, heap->pages_of, sizeof(pages_of)) == 0 &&
         direct_is_valid(heap) && delayed_is_valid(heap) && mi_heap_retired_is_valid(heap) &&
         magazine_is_valid(heap);
}

bool mi_heap_is_valid(mi_heap_t* heap) {
  mi_owner_enter(heap->segments->lock);
  bool valid = is_valid(heap);
  mi_owner_leave(heap->segments->lock);
  return valid;
}
