/* Walking what lives in heaps. The only code that tells a page's live blocks from its free ones. */
#ifndef MI_VISIT_H
#define MI_VISIT_H

#include "segment/abandoned_visit.h"
#include "segment/subproc.h"

typedef struct mi_visit_s {
  mi_block_visit_fun* visitor;
  void* arg;
  bool blocks; /* not only areas */
} mi_visit_t;

/* Shows the page, and its live blocks. `heap` is what the visitor gets, NULL for an abandoned page.
   The page neither ends nor changes hands meanwhile; its lists may change, also by the visitor. A
   block is shown if it lives from the start until its turn. False if the visitor said so. */
bool mi_page_visit(const mi_visit_t* visit, const mi_heap_t* heap, mi_page_t* page);

/* Shows every page that the heap has now. The visitor may allocate and free: until the end no page
   of this heap is given back, and those that it gets meanwhile are not shown. Not to be called
   while it is under way. */
bool mi_heap_visit(mi_heap_t* heap, const mi_visit_t* visit);

/* Shows the pages of abandoned segments of the sub-process; of those with another tag than `tag`,
   if that is not negative, nothing. As mi_abandoned_for_each. */
bool mi_abandoned_visit(mi_subproc_t* subproc, int tag, const mi_visit_t* visit);

/* Whether p lies in a live block of the page, which is in this heap. */
bool mi_page_holds(const mi_page_t* page, const void* p);

/* Whether p, which may be anything, lies in a live block of the heap. Looks at every page. */
bool mi_heap_holds(mi_heap_t* heap, const void* p);

#endif
