/* Empty pages: a heap keeps one of each class up to MI_MEDIUM_BLOCK_MAX, and a few with a
   longer block (heap/single.h), a while before it gives it back. For the heap's thread. */
#ifndef MI_RETIRE_H
#define MI_RETIRE_H

#include "types.h"

/* To be called when `used` of the page becomes 0. A full page, of which enough blocks were freed,
   goes back to the queue of its bin. An empty one is retired, that is, kept at the back of its
   queue (one of one block: where it is), as long as the heap's retired pages are not too big
   together; or else it is given back. No other page is. */
void mi_page_retire(mi_page_t* page);
/* Looks how many blocks of the page are alive, not counting those that other threads freed, whose
   memory must not stay here if the owner falls asleep. To be called when the owner has freed many
   blocks. If other threads freed some, or more than a few are alive, the owner looks again when
   half of these are free: `used` becomes 0 then. The last few may be freed by other threads, which
   can purge the page only if it is shared: so it becomes shared, if nothing in it is ready for
   malloc. Returns whether the page is empty. */
bool mi_page_watch(mi_heap_t* heap, mi_page_t* page);

/* Gives an empty page back. While the heap is being visited the page stays, in its queue. */
void mi_heap_free_page(mi_heap_t* heap, mi_page_t* page);
/* Gives a page back with whatever is in it, which ends, too. Not while the heap is visited. */
void mi_heap_end_page(mi_heap_t* heap, mi_page_t* page);
/* Ends the retirement, if any, of a page that is in use again, or about to be, or to be given
   back. */
void mi_heap_unretire(mi_heap_t* heap, mi_page_t* page);

/* Ages all retired pages by one round, and gives back those whose time is over; with `force`, all
   of them. */
void mi_heap_collect_retired(mi_heap_t* heap, bool force);
/* Calls mi_heap_collect_retired now and then. To be called at each heartbeat of the heap. */
void mi_heap_age_retired(mi_heap_t* heap);
/* Gives back the retired page that would be next to go; not one of few bytes, nor one that is the
   last page of its segment. Returns its segment; NULL if there is no such page. */
mi_segment_t* mi_heap_give_up_retired(mi_heap_t* heap);

/* Gives up the room for pages of one block that the heap has none in. */
void mi_heap_leave_single_room(mi_heap_t* heap);

/* Whether every retired page is one that heap/single.h keeps, or the last of its queue, in a bin
   from retired_min to retired_max; and counted for all that was laid out in it. */
bool mi_heap_retired_is_valid(const mi_heap_t* heap);
/* In a forked child: only `heap` and the heaps after it in the thread's list have retired pages. */
void mi_retired_forked(const mi_heap_t* heap);

#endif
