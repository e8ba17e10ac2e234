/* A heap: the pages of one thread, in queues by size class. Unless a comment says otherwise, only
   the thread that owns the heap may call these functions. */
#ifndef MI_HEAP_H
#define MI_HEAP_H

#include "page/page.h"
#include "segment/huge.h"
#include "segment/subproc.h"

/* Makes `heap` an empty heap of the thread with this tld. `arena`: where it takes all its memory,
   or NULL. When a heap that is restricted in this way ends, its pages are abandoned, since other
   heaps may not allocate there. */
void mi_heap_init(mi_heap_t* heap, mi_tld_t* tld, uint8_t tag, bool allow_destroy,
                  mi_arena_t* arena);
mi_inline bool mi_heap_is_restricted(const mi_heap_t* heap) {
  return heap->segments == &heap->own_segments;
}

/* Takes over a page that is settled and in no queue. A page of one block may be gone afterwards, if
   its block was freed. */
void mi_heap_take_page(mi_heap_t* heap, mi_page_t* page);
/* Like mi_heap_take_page, for a page from which malloc does not take just now: what is free in it
   may go where other threads can have it (mi_magazine_take_page). */
void mi_heap_take_used_page(mi_heap_t* heap, mi_page_t* page);

/* Brings every page to NORMAL and, unless it has one block, out of the full queue, and completes
   the delayed frees. From then on no other thread can reach the heap through a page, until a page
   is FULL again. Waits for threads that are at work on its pages. */
void mi_heap_settle(mi_heap_t* heap);

/* Moves all pages of `heap` to `target`, another heap of the same thread. They keep their tags. */
void mi_heap_absorb(mi_heap_t* target, mi_heap_t* heap);

/* Gives the heap and all of its pages another tag. */
void mi_heap_retag(mi_heap_t* heap, uint8_t tag);

/* Frees the memory of the heap itself, which came from the thread's backing heap. It is on no list,
   and has no pages any more. */
void mi_heap_free_memory(mi_heap_t* heap);

/* Frees all pages of the heap with the live blocks in them, but abandons the pages that it adopted.
   If it adopted none, no block is touched but those in the magazine. */
void mi_heap_free_pages(mi_heap_t* heap);

/* Calls fn for every page in the queues below `bins` (MI_QUEUE_OF_FULL: all but the full queue;
   MI_PAGE_QUEUES: all). fn may free the page or move it elsewhere, but no other page. */
typedef void mi_page_fun(mi_heap_t* heap, mi_page_t* page, void* arg);
void mi_heap_for_each_page(mi_heap_t* heap, unsigned bins, mi_page_fun* fn, void* arg);

/* Checks every page, queue and table of the heap. */
bool mi_heap_is_valid(mi_heap_t* heap);

/* Gives back the empty pages of the heap. `force`: also empties the magazine, moves every full page
   with a free block back to the queue of its bin, keeps no retired page, and shares coarse pages,
   so that any thread can purge what is free in them. Misuse that is found is reported by the public
   function that began this, when it is done with its heaps: the program's error function may delete
   them. */
void mi_heap_collect_pages(mi_heap_t* heap, bool force);
/* Calls mi_heap_collect_pages for all heaps of the thread. */
void mi_heaps_collect_pages(mi_tld_t* tld, bool force);
/* Empties the magazine, completes the delayed frees, and collects the pages that are not full;
   shared and watched ones only if all their blocks were freed. Gives back pages that are empty and
   not retired. */
void mi_heap_collect_frees(mi_heap_t* heap);

#endif
