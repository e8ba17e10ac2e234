/* A heap as a whole: making, merging, emptying. */
#include "heap/heap.h"

#include <string.h>

#include "heap/communal.h"
#include "heap/delayed.h"
#include "heap/heaps.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/reclaim.h"
#include "heap/retire.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "os/os.h"
#include "page/page.h"
#include "segment/guard.h"
#include "segment/segment.h"

void mi_heap_init(mi_heap_t* heap, mi_tld_t* tld, uint8_t tag, bool allow_destroy,
                  mi_arena_t* arena) {
  memcpy(heap, &mi_heap_empty, sizeof(*heap));
  heap->tld = tld;
  heap->segments = &tld->segments;
  if (arena != NULL) {
    heap->segments = &heap->own_segments;
    heap->own_segments.arena = arena;
    heap->own_segments.subproc = tld->segments.subproc;
    heap->own_segments.lock = tld->segments.lock;
  }
  heap->retired_min = MI_BIN_LARGE;
  heap->tag = tag;
  heap->allow_destroy = allow_destroy;
  mi_heap_link(heap);
  if (MI_GUARDED) mi_heap_sample_as_options_say(heap);
}

void mi_heap_for_each_page(mi_heap_t* heap, unsigned bins, mi_page_fun* fn, void* arg) {
  for (unsigned bin = 0; bin < bins; bin++) {
    mi_page_t* next;
    for (mi_page_t* page = heap->pages[bin].first; page != NULL; page = next) {
      next = page->next;
      fn(heap, page, arg);
    }
  }
}

static void settle_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  if (mi_page_settle(page) && page->reserved > 1) mi_page_leave_full(heap, page);
}

void mi_heap_settle(mi_heap_t* heap) {
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, settle_page, NULL);
  /* Another thread may purge a page of the list at any time; the page stays on the list then. */
  for (unsigned round = 0; mi_heap_has_delayed(heap); round++) {
    if (round > 0) mi_os_yield(round);
    mi_heap_delayed_free(heap);
  }
}

void mi_heap_take_page(mi_heap_t* heap, mi_page_t* page) {
  /* Relaxed: published by the release in mi_page_set_full. */
  atomic_store_explicit(&page->heap, heap, memory_order_relaxed);
  page->stack = NULL;
  mi_page_set_freer(page);
  mi_heap_add_page(heap, page, false);
  if (page->reserved > 1 || mi_page_set_full(page)) return;
  /* The page's block was freed just now, and a thread may be purging it. */
  for (unsigned round = 0; !mi_page_collect_single(page); round++) mi_os_yield(round);
  if (mi_page_is_empty(page)) mi_heap_free_page(heap, page);
}

void mi_heap_take_used_page(mi_heap_t* heap, mi_page_t* page) {
  bool single = page->reserved == 1; /* read now: it may end */
  mi_heap_take_page(heap, page);
  if (!single) mi_magazine_take_page(heap, page);
}

static void absorb_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  mi_heap_remove_page(heap, page);
  mi_heap_take_used_page(arg, page);
}

void mi_heap_absorb(mi_heap_t* target, mi_heap_t* heap) {
  mi_heap_settle(heap);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, absorb_page, target);
}

static void retag_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  page->tag = heap->tag;
}

void mi_heap_retag(mi_heap_t* heap, uint8_t tag) {
  if (heap->tag == tag) return;
  heap->tag = tag;
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, retag_page, NULL);
}

static void free_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  if (page->adopted) return;
  mi_page_forget_frees(page);
  page->used = page->uncounted = 0;
  mi_heap_end_page(heap, page);
}

void mi_heap_free_pages(mi_heap_t* heap) {
  mi_magazine_settle(heap);
  if (heap->has_adopted) {
    mi_heap_settle(heap);
  } else {
    mi_heap_for_each_page(heap, MI_PAGE_QUEUES, settle_page, NULL);
    mi_heap_delayed_drop(heap);
  }
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, free_page, NULL);
  if (heap->page_count > 0) mi_heap_abandon(heap);
}

void mi_heap_free_memory(mi_heap_t* heap) {
  mi_page_t* page = mi_page_of(heap);
  mi_block_t* block = mi_page_block_of(page, heap);
  if (MI_GUARDED) mi_guard_lift(page, block);
  if (!mi_track_free(block, heap)) return;
  if (mi_segment_is_communal(mi_segment_of(page))) { /* see mi_heap_borrow_any */
    mi_communal_page_free(page);
  } else {
    mi_page_free_block(page, block);
  }
}
