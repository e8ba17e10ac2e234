/* Giving back what is free. */
#include "heap/magazine.h"
#include "os/rare.h"
#include "page/scavenge.h"
#include "segment/purge.h"

static int64_t earlier(int64_t a, int64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

int64_t mi_process_purge_due(void) {
  int64_t due = earlier(earlier(mi_purge_next(), mi_scavenge_next()), mi_magazine_next());
  if (mi_likely(due == 0)) return 0;
  int64_t now = mi_os_now();
  if (now < due && !mi_rare(mi_rare_purge)) return due;
  int64_t magazines = mi_magazine_next() == 0
                          ? 0
                          : mi_magazine_round(now); /* what it frees is seen by the next ones */
  return earlier(earlier(mi_purge_round(now), mi_scavenge_round(now)), magazines);
}

void mi_process_purge_all(void) {
  mi_magazine_take_all();
  mi_scavenge_all();
  mi_purge_all();
}

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
