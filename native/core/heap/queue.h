/* The queues of a heap's pages: one for each bin, and the full queue. For the heap's thread. */
#ifndef MI_QUEUE_H
#define MI_QUEUE_H

#include "types.h"

/* Where heap->pages_of counts the page. */
mi_inline unsigned mi_page_counter(const mi_page_t* page) {
  return page->bin < MI_BIN_LARGE ? page->bin : MI_BIN_LARGE;
}

/* Puts a page into the queue of its bin, or into the full queue if in_full is set; at the front or
   at the back. */
void mi_heap_add_page(mi_heap_t* heap, mi_page_t* page, bool front);
/* Takes a page out of its queue. */
void mi_heap_remove_page(mi_heap_t* heap, mi_page_t* page);

/* Moves an exhausted page to the full queue. False if it has a block to pop after all, or if
   another thread is at work on it: then the page stays. */
bool mi_page_to_full(mi_heap_t* heap, mi_page_t* page);
/* Moves a page of the full queue, whose state is not FULL any more, back to the queue of its
   bin. */
void mi_page_leave_full(mi_heap_t* heap, mi_page_t* page);

/* Notes that other threads have told of blocks that they freed in this heap. */
void mi_heap_others_free(mi_heap_t* heap);
/* Whether pages with blocks of this page's size are shared whenever they are full. */
bool mi_heap_shares(const mi_heap_t* heap, const mi_page_t* page);

#endif
