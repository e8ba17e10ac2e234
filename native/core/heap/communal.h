/* Communal pages: pages of one block that belong to no thread. Where the threads of a program free
   each other's blocks of 32 KiB to 2 MiB (a pipeline for pictures, say), each thread would keep
   such memory for itself, and blocks that others freed in it would wait until it looks. So in such
   programs these pages are in communal segments, which have no owner, like abandoned segments, but
   which no thread adopts. A thread that allocates holds, for a moment, a segment that has room; the
   thread that frees the block gives its page back. malloc and free do not wait, unless memory is
   exhausted: they pass by a segment that another thread holds.

   A communal page is in no heap and no queue. page->communal_id says which thread took it. */
#ifndef MI_COMMUNAL_H
#define MI_COMMUNAL_H

#include "segment/segment.h"
#include "segment/subproc.h"

/* Whether the segment is communal. For any thread that holds a block in it. */
mi_inline bool mi_segment_is_communal(mi_segment_t* segment) {
  return mi_segment_owner(segment) == 0 &&
         atomic_load_explicit(&segment->subproc, memory_order_relaxed) == &mi_subproc_communal &&
         !mi_segment_is_huge(segment);
}

/* To be called when a thread frees the block of a page of one block that another thread owns. After
   some such frees, communal pages come into use. */
void mi_communal_note_foreign_free(void);

/* Whether this heap of the calling thread takes communal pages. */
bool mi_communal_serves_heap(const mi_heap_t* heap);
/* Whether the heap takes communal pages for blocks of this size. */
mi_inline bool mi_communal_serves(const mi_heap_t* heap, size_t block_size) {
  return block_size > MI_MEDIUM_BLOCK_MAX && mi_communal_serves_heap(heap);
}

/* A communal page of a bin with blocks above MI_MEDIUM_BLOCK_MAX, for a heap of the calling thread,
   which takes the page's block next. NULL if there is no memory. */
mi_page_t* mi_communal_page_alloc(mi_heap_t* heap, unsigned bin);

/* Frees the block of the page, which the caller holds. */
void mi_communal_page_free(mi_page_t* page);

/* Like mi_segment_page_resize, for the thread that holds the block. False also while another thread
   holds the segment. */
bool mi_communal_page_resize(mi_page_t* page, unsigned bin, bool* zero);

/* ---- The communal pages of a heap ---- */

/* Whether the page, communal or not, is this heap's. The heap is the calling thread's, and the
   caller holds a block in the page. Only this thread puts its heaps into page->heap, so the answer
   cannot change meanwhile, whichever thread owns the page. */
bool mi_heap_has_page(const mi_heap_t* heap, const mi_page_t* page);

/* Whether p, which may be any address, lies in a live communal block of this heap of the calling
   thread. */
bool mi_communal_holds(const mi_heap_t* heap, const void* p);

/* A communal block of a heap of the calling thread. */
typedef struct mi_communal_block_s {
  uint8_t* start;
  size_t size;
  uint8_t tag;
  mi_slot_ref_t slot;
  unsigned index; /* of its page in the segment */
} mi_communal_block_t;

/* Calls fn for each communal block of the heap until fn returns false; then the result is false. fn
   may allocate and free. While fn runs, the block's memory stays, even if a thread frees the block.
   Blocks that are freed before their turn are not shown; blocks that are taken meanwhile may be. */
typedef bool mi_communal_fun(mi_heap_t* heap, const mi_communal_block_t* block, void* arg);
bool mi_communal_for_each(mi_heap_t* heap, mi_communal_fun* fn, void* arg);
/* For use in fn: whether the block is still alive, or another block of this heap and of the same
   size is in its place. */
bool mi_communal_is_alive(const mi_heap_t* heap, const mi_communal_block_t* block);
/* Whether the heap has a communal block. */
bool mi_communal_has(mi_heap_t* heap);
/* Lets go of the block that fn was called for: when fn has returned, or when it never will because
   its thread ends. */
void mi_communal_break_off(mi_tld_t* tld);

/* Frees all communal blocks of the heap. */
void mi_communal_free_pages(mi_heap_t* heap);

#endif
