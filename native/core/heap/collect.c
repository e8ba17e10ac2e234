/* Giving back the empty pages of heaps. */
#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/retire.h"

/* Whether the page is left as it is, though some of its blocks were freed: its owner may fall
   asleep, and a shared coarse page is one that other threads, or mi_scavenge_all, can
   purge. */
static bool stays(const mi_page_t* page, bool force) {
  if (mi_page_has_come_back(page)) return false;
  if (force) return mi_page_is_shared(page) && mi_page_is_coarse(page);
  return mi_page_is_shared(page) || mi_page_is_watched(page);
}

/* Collects a page, and gives it back if it is empty. Without `force`, a retired page is kept. */
static void collect_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  bool force = *(const bool*)arg;
  if (stays(page, force)) return;
  if (force) {
    mi_page_free_collect_all(page);
  } else {
    mi_page_free_collect(page);
  }
  if (mi_page_is_empty(page)) {
    if (force || page->retire_expire == 0) mi_heap_free_page(heap, page);
  } else if (force && mi_page_watch(heap, page)) {
    mi_heap_free_page(heap, page); /* other threads have just freed the last of its blocks */
  } else if (force) {
    /* Small heaps, and those of the program's own, do not share by themselves. */
    mi_page_offer(page);
  }
}

void mi_heap_collect_frees(mi_heap_t* heap) {
  bool force = false;
  mi_magazine_settle(heap);
  mi_heap_delayed_free(heap);
  mi_heap_for_each_page(heap, MI_QUEUE_OF_FULL, collect_page, &force);
}

/* Moves a full page with free blocks, however few they are, back to the queue of its bin. */
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
  if (force) mi_heap_for_each_page(heap, MI_PAGE_QUEUES, show_page, NULL);
  mi_heap_collect_retired(heap, force);
  /* Full pages are left out: other threads announce what they freed in these. */
  mi_heap_for_each_page(heap, MI_QUEUE_OF_FULL, collect_page, &force);
}

void mi_heaps_collect_pages(mi_tld_t* tld, bool force) {
  for (mi_heap_t* heap = tld->heaps; heap != NULL; heap = heap->next) {
    mi_heap_collect_pages(heap, force);
  }
}
