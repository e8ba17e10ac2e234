/* Giving back the empty pages of heaps. */
#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/retire.h"

/* Unless by force, pages stay shared and watched, since their owner may fall asleep. */
static void collect_page(mi_heap_t* heap, mi_page_t* page, void* force) {
  if (*(bool*)force) {
    mi_page_free_collect_all(page);
  } else if (mi_page_has_come_back(page) ||
             !(mi_page_is_shared(page) || mi_page_is_watched(page))) {
    mi_page_free_collect(page);
  } else {
    return;
  }
  if (mi_page_is_empty(page)) {
    if (*(bool*)force || page->retire_expire == 0) mi_heap_free_page(heap, page);
  } else if (*(bool*)force) {
    mi_page_watch(heap, page);
  }
}

void mi_heap_collect_frees(mi_heap_t* heap) {
  bool force = false;
  mi_magazine_settle(heap);
  mi_heap_delayed_free(heap);
  mi_heap_for_each_page(heap, MI_BIN_FULL, collect_page, &force);
}

/* A full page of which some blocks came back has a place among the others, however few they are. */
static void show_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  bool some = page->local_free != NULL || mi_page_has_thread_free(page);
  if (page->in_full && some && mi_page_clear_full(page)) {
    mi_page_leave_full(heap, page);
  }
}

void mi_heap_collect_pages(mi_heap_t* heap, bool force) {
  if (force) mi_magazine_flush(heap);
  mi_heap_delayed_free(heap);
  if (force) mi_heap_for_each_page(heap, MI_BIN_COUNT, show_page, NULL);
  mi_heap_collect_retired(heap, force);
  /* What comes back to a full page is announced. */
  mi_heap_for_each_page(heap, MI_BIN_FULL, collect_page, &force);
}

void mi_heaps_collect_pages(mi_tld_t* tld, bool force) {
  for (mi_heap_t* heap = tld->heaps; heap != NULL; heap = heap->next) {
    mi_heap_collect_pages(heap, force);
  }
}
