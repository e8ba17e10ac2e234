/* malloc's slow path: a page for a block. For the heap's thread. */
#ifndef MI_REQUEST_H
#define MI_REQUEST_H

#include "os/rare.h"
#include "types.h"

/* Passed by pointer everywhere: gcc copies two fields at a time, and such a load of fields that
   were just stored one by one waits until the program's last writes are in the cache. */
typedef struct mi_request_s {
  size_t size;
  size_t align;  /* only for huge blocks; 1: none */
  size_t offset; /* address + offset is to be aligned */
  size_t spare;  /* bytes of `size` that may be left out where memory is short */
} mi_request_t;

/* What slow paths do now and then for the heap, its thread and the process. Like mi_deferred_free,
   it may end any heap but this one. The heap is not mi_heap_empty. */
void mi_heap_heartbeat(mi_heap_t* heap);

/* A page from which a block for the request can be popped, or, if it is a page of one block, taken
   next. Runs the heartbeat. NULL and ENOMEM if there is no memory. The heap is not
   mi_heap_empty. */
mi_page_t* mi_heap_page_for(mi_heap_t* heap, const mi_request_t* request);

/* Whether so many blocks may be handed out without a heartbeat. Their number is bounded, so a
   heartbeat is certain to come. The heap is not mi_heap_empty. */
mi_inline bool mi_heap_spend(mi_heap_t* heap, int blocks) {
  heap->quick_blocks -= blocks;
  return mi_likely(heap->quick_blocks >= 0) && !mi_rare(mi_rare_collect);
}

/* A page with free blocks of the bin's size; or of a larger one, if the bin is hardly used, or is a
   medium one whose pages are full. Found or made. NULL if there is no memory. */
mi_page_t* mi_heap_find_page(mi_heap_t* heap, unsigned bin);
/* Lays out more blocks of a page of the heap; `free` must be empty and capacity < reserved. */
void mi_heap_extend_page(mi_heap_t* heap, mi_page_t* page);
/* Where memory is exhausted: a page of any larger class that has a free block; NULL if there is
   none. */
mi_page_t* mi_heap_borrow_any(mi_heap_t* heap, unsigned bin);
/* Bins may borrow from larger ones again (heap/find.c). Once in each round of
   mi_heap_age_retired. */
void mi_heap_forget_loans(mi_heap_t* heap);

/* A page of one huge block, in the full queue. */
mi_page_t* mi_heap_huge_page(mi_heap_t* heap, const mi_request_t* request);

/* Calls the user's deferred-free callback, which may end any heap but this one. */
void mi_deferred_free(mi_heap_t* heap, bool force);

#endif
