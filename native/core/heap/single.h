/* Pages of one block: those of classes above MI_MEDIUM_BLOCK_MAX. Their place is the full queue.
   But the backing heap of a thread keeps the last short one that it emptied, as a retired page in
   the queue of its bin. For the heap's thread. */
#ifndef MI_SINGLE_H
#define MI_SINGLE_H

#include "types.h"

/* The largest block whose page may be kept. */
#define MI_SINGLE_BLOCK_MAX (2 * MI_UNIT_SIZE)

/* Puts a page of one block, which the caller takes next, into the full queue. */
void mi_heap_add_single(mi_heap_t* heap, mi_page_t* page);

/* Whether the heap should keep this empty page of one block. */
bool mi_heap_may_keep_single(const mi_heap_t* heap, const mi_page_t* page);
/* Keeps it, instead of the one before: moves it to the queue of its bin. Until it is taken again,
   freeing its block is misuse. */
void mi_heap_keep_single(mi_heap_t* heap, mi_page_t* page);
/* The page that is kept, in the full queue again, for a block of any bin that fits; the caller
   takes that next. NULL if there is none, or it does not fit. */
mi_page_t* mi_heap_take_single(mi_heap_t* heap, unsigned bin);

#endif
