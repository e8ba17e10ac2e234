/* Queues of pages, and the table that leads malloc to the first page of each queue of small
   blocks. */
#include "heap/queue.h"

#include "heap/magazine.h"
#include "heap/retire.h"
#include "heap/thread.h"
#include "page/page.h"

/* Only the last page of a bin's queue may be retired: that is where mi_heap_collect_retired looks.
   So a page that is added at the back goes before a retired one. */
static void link_page(mi_page_queue_t* queue, mi_page_t* page, bool front) {
  mi_page_t* after = front ? NULL : queue->last; /* NULL: at the front */
  if (after != NULL && after->retire_expire != 0) after = after->prev;
  page->prev = after;
  page->next = after == NULL ? queue->first : after->next;
  if (page->prev != NULL) {
    page->prev->next = page;
  } else {
    queue->first = page;
  }
  if (page->next != NULL) {
    page->next->prev = page;
  } else {
    queue->last = page;
  }
}

static void unlink_page(mi_page_queue_t* queue, mi_page_t* page) {
  if (page->prev != NULL) {
    page->prev->next = page->next;
  } else {
    queue->first = page->next;
  }
  if (page->next != NULL) {
    page->next->prev = page->prev;
  } else {
    queue->last = page->prev;
  }
  page->next = page->prev = NULL;
}

/* Updates the table after the first page of the bin has changed. */
static void update_direct(mi_heap_t* heap, unsigned bin) {
  if (bin > mi_bin_of(MI_SMALL_SIZE_MAX)) return;
  size_t last = mi_bin_block_size(bin) / MI_WORD_SIZE;
  size_t first = bin == 1 ? 0 : mi_bin_block_size(bin - 1) / MI_WORD_SIZE + 1;
  mi_page_t* page = heap->pages[bin].first;
  if (page == NULL) page = mi_heap_empty.pages_free_direct[0];
  for (size_t i = first; i <= last; i++) heap->pages_free_direct[i] = page;
}

static unsigned queue_index(const mi_page_t* page) {
  return page->in_full ? MI_QUEUE_OF_FULL : page->bin;
}

void mi_heap_add_page(mi_heap_t* heap, mi_page_t* page, bool front) {
  unsigned index = queue_index(page);
  mi_page_queue_t* queue = &heap->pages[index];
  mi_page_t* first = queue->first;
  link_page(queue, page, front);
  if (queue->first != first) update_direct(heap, index);
  heap->page_count++;
  heap->pages_of[mi_page_counter(page)]++;
}

void mi_heap_remove_page(mi_heap_t* heap, mi_page_t* page) {
  mi_heap_unretire(heap, page);
  unsigned index = queue_index(page);
  mi_page_queue_t* queue = &heap->pages[index];
  mi_page_t* first = queue->first;
  unlink_page(queue, page);
  if (queue->first != first) update_direct(heap, index);
  heap->page_count--;
  heap->pages_of[mi_page_counter(page)]--;
}

void mi_heap_others_free(mi_heap_t* heap) { heap->others_free = true; }

/* Free blocks of a coarse page are worth purging one by one, and other threads can do that if the
   blocks are on thread_free (page/scavenge.h). So the page is shared whenever it is full: in heaps
   where other threads free, and in heaps with a magazine, which takes most frees before they get to
   a page. In a small heap of one thread it would cost each malloc and free 6 ns. */
bool mi_heap_shares(const mi_heap_t* heap, const mi_page_t* page) {
  bool wanted = heap->others_free || heap->magazine != NULL;
  return wanted && mi_page_is_coarse(page) && page->reserved > 1;
}

static bool will_be_shared(const mi_heap_t* heap, const mi_page_t* page) {
  return (page->shared_credit > 0 && page->reserved > 1) || mi_heap_shares(heap, page);
}

bool mi_page_to_full(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(page->free == NULL && page->local_free == NULL);
  if (!mi_page_set_full(page)) return false;
  mi_heap_remove_page(heap, page);
  page->in_full = true;
  mi_magazine_set_freer(heap, page);
  if (will_be_shared(heap, page)) {
    mi_page_set_flag(page, MI_PAGE_SHARED, true);
  } else {
    mi_page_count_only(page, mi_page_quota(page));
  }
  mi_heap_add_page(heap, page, false);
  return true;
}

void mi_page_leave_full(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(page->reserved > 1);
  mi_page_count_all(page);
  mi_heap_remove_page(heap, page);
  page->in_full = false;
  mi_heap_add_page(heap, page, false);
}
