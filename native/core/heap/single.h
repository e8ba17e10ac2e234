/* Pages of one block: those of classes above MI_MEDIUM_BLOCK_MAX. They are in the full queue. The
   backing heap of a thread keeps the last few short ones that it emptied, as retired pages. For the
   heap's thread. */
#ifndef MI_SINGLE_H
#define MI_SINGLE_H

#include "types.h"

/* The largest block whose page may be kept, and the bytes of all blocks whose pages are. */
#define MI_SINGLE_BLOCK_MAX (4 * MI_UNIT_SIZE)

/* Puts a page of one block, which the caller takes next, into the full queue. */
void mi_heap_add_single(mi_heap_t* heap, mi_page_t* page);

/* Whether the heap should keep this empty page of one block. */
bool mi_heap_may_keep_single(const mi_heap_t* heap, const mi_page_t* page);
/* Keeps it; the heap has fewer than MI_SINGLES of them. Until it is taken again, freeing its block
   is misuse. */
void mi_heap_keep_single(mi_heap_t* heap, mi_page_t* page);
/* Does not keep it any more. */
void mi_heap_forget_single(mi_heap_t* heap, const mi_page_t* page);
/* A page that was kept, for a block of any bin that fits; the caller takes that next. NULL if none
   fits. */
mi_page_t* mi_heap_take_single(mi_heap_t* heap, unsigned bin);

#endif
