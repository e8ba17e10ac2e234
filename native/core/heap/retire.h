/* Empty pages: a heap keeps one of each class a while before it gives it back. For the heap's thread. */
#ifndef MI_RETIRE_H
#define MI_RETIRE_H

#include "types.h"

/* `used` of the page has become 0. A full page, of which enough blocks were freed, goes back to the queue of its bin.
   An empty one is retired: kept at the back of its queue, as long as the heap's retired pages are not too big together;
   or else given back. */
void mi_page_retire(mi_page_t* page);
/* The owner has freed so many blocks of a page, which is not shared, that it looks how many are alive besides those that
   other threads freed: these are not to stay there if it sleeps from now on. It looks again when half of the rest is
   free, by way of `used`, which becomes 0 then. The last few may be freed by other threads: so that they can free the
   last block, the page is shared, if nothing in it is ready for malloc. Returns whether the page is empty. */
bool mi_page_watch(mi_heap_t* heap, mi_page_t* page);

/* Gives an empty page back. While the heap is being visited the page stays, in its queue. */
void mi_heap_free_page(mi_heap_t* heap, mi_page_t* page);
/* The page is in use again, or about to be given back: it is not retired any more. */
void mi_heap_unretire(mi_heap_t* heap, mi_page_t* page);

/* Ages all retired pages by one round, and gives back those whose time is over; with `force`, all of them. */
void mi_heap_collect_retired(mi_heap_t* heap, bool force);
/* Calls mi_heap_collect_retired now and then. Once in each slow path. */
void mi_heap_age_retired(mi_heap_t* heap);
/* Gives back the retired page that would be the next to go, unless it is the last one of its segment. Returns its
   segment; NULL if there is no such page. */
mi_segment_t* mi_heap_give_up_retired(mi_heap_t* heap);

/* Whether every retired page is the last of its queue, within the bounds, and counted. */
bool mi_heap_retired_is_valid(const mi_heap_t* heap);
/* In a forked child: only `heap`, and those after it in its thread, have retired pages. */
void mi_retired_forked(const mi_heap_t* heap);

#endif
