/* Giving back what is free. */
#include "heap/heap.h"

static void collect_page(mi_heap_t* heap, mi_page_t* page, void* force) {
  if (*(bool*)force) {
    mi_page_free_collect_all(page);
  } else {
    mi_page_free_collect(page);
  }
  if (mi_page_is_empty(page)) {
    if (*(bool*)force || page->retire_expire == 0) mi_heap_free_page(heap, page);
  } else if (mi_page_is_in_full(page) && (page->free != NULL || page->local_free != NULL)) {
    mi_page_unfull(heap, page);
  }
}

void mi_heap_collect_frees(mi_heap_t* heap) {
  bool force = false;
  mi_heap_delayed_free(heap);
  mi_heap_for_each_page(heap, MI_BIN_COUNT, collect_page, &force);
}

void mi_heap_collect_pages(mi_heap_t* heap, bool force) {
  if (force) mi_deferred_free(heap, true);
  mi_heap_delayed_free(heap);
  mi_heap_collect_retired(heap, force);
  /* What comes back to a full page is announced; only a forced collect looks for itself. */
  mi_heap_for_each_page(heap, force ? MI_BIN_COUNT : MI_BIN_FULL, collect_page, &force);
  mi_deliver_misuse();
}
