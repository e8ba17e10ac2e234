/* Visiting the live blocks of heaps. A page's lists say only which blocks are free; the live ones
   are the rest. */
#ifndef MI_VISIT_H
#define MI_VISIT_H

#include "segment/abandoned_visit.h"
#include "segment/subproc.h"

typedef struct mi_visit_s {
  mi_block_visit_fun* visitor;
  void* arg;
  bool blocks; /* also the live blocks, not only areas */
} mi_visit_t;

/* Shows every page that the heap has now, and its communal blocks. The visitor may allocate and
   free: until the visit ends no page of the heap is given back, and pages that the heap gets
   meanwhile are not shown. Not to be called while the heap is being visited. False if the visitor
   returned false. */
bool mi_heap_visit(mi_heap_t* heap, const mi_visit_t* visit);

/* Shows the pages of the segments that the sub-process abandoned; if `tag` is not negative, only
   pages with that tag. Else like mi_abandoned_for_each. */
bool mi_abandoned_visit(mi_subproc_t* subproc, int tag, const mi_visit_t* visit);

/* Whether p lies in a live block of the page, which is in a heap of the calling thread; or is
   communal, and the caller holds its block. */
bool mi_page_holds(mi_page_t* page, const void* p);

/* Whether p, which may be any address, lies in a live block of the heap. Looks at every page. */
bool mi_heap_holds(mi_heap_t* heap, const void* p);

#endif
