/* Pages that became empty. */
#include "heap/heap.h"
#include "stats/stats.h"

/* How many fresh pages its heap takes before an empty page is given back. */
enum { RETIRE_SMALL = 16, RETIRE_MEDIUM = 4 };

void mi_heap_free_page(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(mi_page_is_empty(page) && !mi_page_is_notifying(page));
  mi_heap_remove_page(heap, page);
  heap->tld->counters.pages_freed++;
  if (page->bin == MI_BIN_HUGE) {
    mi_huge_page_free(page);
  } else {
    mi_segment_page_free(&heap->tld->segments, page);
  }
}

void mi_page_retire(mi_page_t* page) {
  if (mi_likely(page->retire_expire != 0)) return; /* it is waiting already */
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  if (page->block_size <= MI_MEDIUM_BLOCK_MAX && !mi_page_is_in_full(page)) {
    uint8_t expire = page->block_size <= MI_SMALL_BLOCK_MAX ? RETIRE_SMALL : RETIRE_MEDIUM;
    if (mi_heap_retire_at_back(heap, page, expire)) {
      if (page->bin < heap->retired_min) heap->retired_min = page->bin;
      if (page->bin > heap->retired_max) heap->retired_max = page->bin;
      return;
    }
  }
  mi_heap_free_page(heap, page);
}

void mi_heap_collect_retired(mi_heap_t* heap, bool force) {
  uint32_t min = MI_BIN_FULL;
  uint32_t max = 0;
  for (uint32_t bin = heap->retired_min; bin <= heap->retired_max; bin++) {
    mi_page_t* page = heap->pages[bin].last;
    if (page == NULL || page->retire_expire == 0) continue;
    if (!mi_page_is_empty(page)) {
      page->retire_expire = 0; /* in use again */
      continue;
    }
    page->retire_expire--;
    if (force || page->retire_expire == 0) {
      page->retire_expire = 0;
      mi_heap_free_page(heap, page);
      continue;
    }
    if (bin < min) min = bin;
    if (bin > max) max = bin;
  }
  heap->retired_min = min;
  heap->retired_max = max;
}
