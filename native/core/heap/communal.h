/* Pages of one block that belong to no thread. Where the threads of a program free each other's blocks of 64 KiB to
   2 MiB (a pipeline for pictures, say), each of them would keep such memory for itself, and what others freed
   in it would wait until it looks. So there, these pages are in segments that are nobody's: abandoned by
   mi_subproc_communal. Who allocates holds one that has room, for a moment; who frees the block gives its page
   back. Nobody waits: what somebody holds is passed by.

   A communal page is in no heap and no queue. page->communal_id says which thread took it. */
#ifndef MI_COMMUNAL_H
#define MI_COMMUNAL_H

#include "heap/heap.h"
#include "segment/subproc.h"

/* Any thread that holds a block there. */
mi_inline bool mi_segment_is_communal(mi_segment_t* segment) {
  return mi_segment_owner(segment) == 0 &&
         atomic_load_explicit(&segment->subproc, memory_order_relaxed) == &mi_subproc_communal &&
         !mi_segment_is_huge(segment);
}

/* A thread freed a block of a page of one block that another one owns. After some, communal pages begin. */
void mi_communal_learn(void);

/* Whether the heap, of this thread, takes communal pages for such blocks. */
bool mi_communal_serves(const mi_heap_t* heap, size_t block_size);

/* A page of the bin, of blocks above MI_MEDIUM_BLOCK_MAX, for this thread's heap: its block is on `free`. NULL and
   ENOMEM. */
mi_page_t* mi_communal_page_alloc(mi_heap_t* heap, unsigned bin);

/* Frees the block of the page, which the caller holds. */
void mi_communal_page_free(mi_page_t* page);

/* As mi_segment_page_resize, for who holds the block. False also while somebody else is busy in the segment. */
bool mi_communal_page_resize(mi_page_t* page, unsigned bin, bool* zero);

/* Whether the page is communal and this heap, of this thread, took it. The caller holds its block. */
bool mi_communal_is_of(const mi_page_t* page, const mi_heap_t* heap);

/* Calls fn for a copy of each communal page that this thread's heap took, until it returns false; then the result is
   false. fn may allocate and free. What is freed before its turn is not shown; what is taken meanwhile may be. */
typedef bool mi_communal_fun(const mi_page_t* page, void* arg);
bool mi_communal_for_each(const mi_heap_t* heap, mi_communal_fun* fn, void* arg);

/* Frees the blocks of all of these. */
void mi_communal_free_pages(mi_heap_t* heap);

/* Lets go of a communal segment that the caller holds (segment/abandoned.h). What others could not give back meanwhile
   goes now. */
void mi_communal_let_go(mi_slot_ref_t slot);

/* Segments with communal pages. */
size_t mi_communal_count(void);

#endif
