/* Giving back what is free. */
#include "heap/heap.h"
#include "page/scavenge.h"
#include "segment/purge.h"

int64_t mi_purge_due(void) {
  int64_t units = mi_purge_tick();
  int64_t blocks = mi_scavenge_tick();
  return units == 0 || (blocks != 0 && blocks < units) ? blocks : units;
}

void mi_purge_everything(void) {
  mi_scavenge_all();
  mi_purge_all();
}

static void collect_page(mi_heap_t* heap, mi_page_t* page, void* force) {
  if (*(bool*)force) {
    mi_page_free_collect_all(page);
  } else {
    mi_page_free_collect(page);
  }
  if (mi_page_is_empty(page)) {
    if (*(bool*)force || page->retire_expire == 0) mi_heap_free_page(heap, page);
  }
}

void mi_heap_collect_frees(mi_heap_t* heap) {
  bool force = false;
  mi_heap_delayed_free(heap);
  mi_heap_for_each_page(heap, MI_BIN_FULL, collect_page, &force);
}

void mi_heap_collect_pages(mi_heap_t* heap, bool force) {
  mi_heap_delayed_free(heap);
  mi_heap_collect_retired(heap, force);
  /* What comes back to a full page is announced. */
  mi_heap_for_each_page(heap, MI_BIN_FULL, collect_page, &force);
  mi_deliver_misuse();
}
