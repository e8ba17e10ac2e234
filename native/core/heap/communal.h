/* Pages of one block that belong to no thread. Where the threads of a program free each other's blocks of 32 KiB to
   2 MiB (a pipeline for pictures, say), each of them would keep such memory for itself, and what others freed
   in it would wait until it looks. So there, these pages are in segments that are nobody's, as abandoned ones
   are, but which nobody adopts. Who allocates holds one that has room, for a moment; who frees the block gives
   its page back. Nobody waits, unless memory is exhausted: what somebody holds is passed by.

   A communal page is in no heap and no queue. page->communal_id says which thread took it. */
#ifndef MI_COMMUNAL_H
#define MI_COMMUNAL_H

#include "segment/segment.h"
#include "segment/subproc.h"

/* Any thread that holds a block there. */
mi_inline bool mi_segment_is_communal(mi_segment_t* segment) {
  return mi_segment_owner(segment) == 0 &&
         atomic_load_explicit(&segment->subproc, memory_order_relaxed) == &mi_subproc_communal &&
         !mi_segment_is_huge(segment);
}

/* A thread freed a block of a page of one block that another one owns. After some, communal pages begin. */
void mi_communal_learn(void);

/* Whether the heap, of this thread, takes communal pages. */
bool mi_communal_serves_heap(const mi_heap_t* heap);
/* The same for blocks of this size. */
mi_inline bool mi_communal_serves(const mi_heap_t* heap, size_t block_size) {
  return block_size > MI_MEDIUM_BLOCK_MAX && mi_communal_serves_heap(heap);
}

/* A page of the bin, of blocks above MI_MEDIUM_BLOCK_MAX, for this thread's heap: its block is taken next. NULL and
   ENOMEM. */
mi_page_t* mi_communal_page_alloc(mi_heap_t* heap, unsigned bin);

/* Frees the block of the page, which the caller holds. */
void mi_communal_page_free(mi_page_t* page);

/* As mi_segment_page_resize, for who holds the block. False also while somebody else is busy in the segment. */
bool mi_communal_page_resize(mi_page_t* page, unsigned bin, bool* zero);

/* ---- What a heap has of them ---- */

/* Whether the page, communal or not, is this heap's, which is of this thread. The caller holds a block in it. Only this
   thread puts its heaps into page->heap, so the answer cannot change meanwhile, whoever owns the page. */
bool mi_heap_has_page(const mi_heap_t* heap, const mi_page_t* page);

/* Whether p, which may be anything, lies in a living block that this thread's heap took. */
bool mi_communal_holds(const mi_heap_t* heap, const void* p);

/* A block that this thread's heap took. */
typedef struct mi_communal_block_s {
  uint8_t* start;
  size_t size;
  uint8_t tag;
  mi_slot_ref_t slot;
  unsigned index; /* of its page */
} mi_communal_block_t;

/* Calls fn for each of these until it returns false; then the result is false. fn may allocate and free. While it runs
   the memory of the block stays, also if that is freed, by whatever thread. What is freed before its turn is not
   shown; what is taken meanwhile may be. */
typedef bool mi_communal_fun(mi_heap_t* heap, const mi_communal_block_t* block, void* arg);
bool mi_communal_for_each(mi_heap_t* heap, mi_communal_fun* fn, void* arg);
/* For fn: whether it lives still, or another of this heap in its place. */
bool mi_communal_is_alive(const mi_heap_t* heap, const mi_communal_block_t* block);
/* Whether there is any. */
bool mi_communal_has(mi_heap_t* heap);
/* The thread ends inside of fn. */
void mi_communal_break_off(mi_tld_t* tld);

/* Frees all of them. */
void mi_communal_free_pages(mi_heap_t* heap);

#endif
