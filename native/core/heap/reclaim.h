/* Letting go of pages with live blocks, and adopting what other threads let go. */
#ifndef MI_RECLAIM_H
#define MI_RECLAIM_H

#include "segment/slot_ref.h"
#include "segment/subproc.h"

/* Lets go of all pages that have live blocks, and frees the others. The heap, of this thread, is
   empty afterwards. */
void mi_heap_abandon(mi_heap_t* heap);

/* Adopts some abandoned segments. Returns a page of `bin` with free blocks, if one was among
   them. */
mi_page_t* mi_heap_reclaim(mi_heap_t* heap, unsigned bin);
/* Adopts all segments that the thread's sub-process abandoned: pages go to the backing heap, or to
   the heap that has their tag. Of segments in exclusive arenas, only frees the empty pages. */
void mi_heap_reclaim_all(mi_heap_t* heap);
/* For a heap that is restricted to an arena which is full: frees the empty pages of abandoned
   segments in that arena. With `adopt`, also takes the other pages into the heap. */
void mi_heap_reclaim_arena(mi_heap_t* heap, bool adopt);
/* Adopts the abandoned segment of a page in which the caller holds a live block. False if another
   thread did, or if this thread has such a page to spare: then the segment is left to threads that
   need one. */
bool mi_heap_reclaim_segment_of(mi_heap_t* heap, const mi_page_t* page);

/* Frees the page with that index in the segment of that slot, if it is empty and the segment
   abandoned. Any thread, also one without a heap. */
void mi_heap_free_abandoned_page(mi_slot_ref_t ref, unsigned index);
/* Like mi_heap_free_abandoned_page, for each page of the mask `pages`, in a segment that this
   sub-process abandoned. The segment that the caller knew may be gone, and another one in its
   place. */
void mi_heap_free_abandoned_pages(mi_subproc_t* subproc, mi_slot_ref_t ref, uint64_t pages);
/* Frees the abandoned pages in the slot whose last block was freed while a thread held the
   segment. */
void mi_heap_free_missed(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* In a forked child: frees all abandoned pages that became empty by a lost thread's free. */
mi_cold void mi_heap_free_come_back(void);
/* Gives what a sub-process that is being deleted has abandoned to the first one: see
   mi_abandoned_hand_over. */
void mi_heap_hand_over(mi_subproc_t* subproc);

#endif
