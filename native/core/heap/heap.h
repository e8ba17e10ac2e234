/* A heap: the pages of one thread, in queues by size class. For the thread that owns the heap, unless said otherwise. */
#ifndef MI_HEAP_H
#define MI_HEAP_H

#include "os/rare.h"
#include "page/page.h"
#include "segment/huge.h"
#include "segment/subproc.h"

/* Makes `heap` an empty heap of the thread with this tld. */
void mi_heap_init(mi_heap_t* heap, mi_tld_t* tld, uint8_t tag, bool allow_destroy);

/* Whether the pointer, which may be anything, is a heap of this thread. Looks at addresses only. */
bool mi_heap_is_mine(const mi_heap_t* heap);

/* The heap of this thread that takes the pages which others had under this tag: one with the same
   tag that may not be destroyed, or else the backing heap. */
mi_heap_t* mi_heap_for_tag(mi_tld_t* tld, uint8_t tag);

/* Takes over a page that has been settled, and is in no queue. One of one block may be gone afterwards, if that has
   come back. */
void mi_heap_take_page(mi_heap_t* heap, mi_page_t* page);

/* Brings every page to NORMAL and out of the full queue (but those of one block), and completes the delayed
   frees: from now on no other thread can reach the heap through a page, until a page is FULL again.
   Waits for threads that notify. */
void mi_heap_settle(mi_heap_t* heap);

/* Moves all pages of `heap` to `target`, another heap of the thread. They keep their tags. */
void mi_heap_absorb(mi_heap_t* target, mi_heap_t* heap);

/* Gives the heap another tag, and all of its pages. */
void mi_heap_retag(mi_heap_t* heap, uint8_t tag);

/* Frees the memory of a heap that has no pages any more; it came from the thread's backing heap. */
void mi_heap_free_memory(mi_heap_t* heap);

/* Frees all pages of the heap, with whatever lives in them; lets go of those that it adopted. Looks
   at no block but those on the delayed list, of which there is one a page at most. */
void mi_heap_free_pages(mi_heap_t* heap);

/* Has a new heap take all its memory from the arena. When it ends, its pages are abandoned, as nobody
   else may allocate there. */
void mi_heap_restrict(mi_heap_t* heap, mi_arena_t* arena);
mi_inline bool mi_heap_is_restricted(const mi_heap_t* heap) {
  return heap->segments == &heap->own_segments;
}

/* Calls fn for every page in the queues below `bins` (MI_BIN_FULL: not the full ones;
   MI_BIN_COUNT: all); fn may free the page or move it elsewhere. */
typedef void mi_page_fun(mi_heap_t* heap, mi_page_t* page, void* arg);
void mi_heap_for_each_page(mi_heap_t* heap, unsigned bins, mi_page_fun* fn, void* arg);

/* Checks every page, queue and table of the heap. */
bool mi_heap_is_valid(mi_heap_t* heap);

/* Gives back the empty pages of the heap. `force`: also empties the magazine, moves every full page with a free block back
   to the queue of its bin, and keeps no retired page. Misuse that it finds is delivered by the public function that
   began it, when that is done with its heaps: the program's error function may delete them. */
void mi_heap_collect_pages(mi_heap_t* heap, bool force);
/* mi_heap_collect_pages for all heaps of a thread. */
void mi_heaps_collect_pages(mi_tld_t* tld, bool force);
/* Completes every free that other threads have made in this heap. */
void mi_heap_collect_frees(mi_heap_t* heap);

#endif
