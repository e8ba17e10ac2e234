/* Segments without an owner: what ended threads left. There is no list: an abandoned segment is
   a mark in its chunk, and changing that mark takes it, so there is neither an ABA problem nor a
   lock. The mark is the sub-process of the thread that left it; the threads of others pass it by. */
#ifndef MI_ABANDONED_H
#define MI_ABANDONED_H

#include "segment/segment.h"
#include "segment/subproc.h"

/* Makes the segment ownerless. The caller owns it, no page of it is in a heap any more, every
   page with live blocks is in state NORMAL, and it is in no queue. The caller must not touch it
   afterwards. */
void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Takes the segment if this sub-process abandoned it; the caller then owns it. The caller holds a live block
   in it, so that it cannot vanish meanwhile. */
bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Calls fn for every segment that another thread owns. Only where no other thread is inside of
   miheap; fn may free any segment. */
void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment));

/* In a forked child, before it has a second thread: takes every segment from the threads that are
   not there, whose ids new threads may get. Nobody owns these segments from then on; their blocks
   can be freed, but not used again. Calls fn for every page of every segment in a chunk. */
void mi_segments_orphan(void (*fn)(mi_page_t* page));

/* Segments abandoned at this moment that are for tld: those in its arena, if that is exclusive, or
   all others of its sub-process. Of an exclusive arena, other sub-processes' are counted too. */
size_t mi_abandoned_count(const mi_segments_tld_t* tld);
/* Those of the first sub-process, and of every exclusive arena. */
size_t mi_abandoned_total(void);

/* Holds a communal segment in which a page for such blocks seems to have room; with `resident`, beginning where memory is
   resident, in the first chunks that may have room. NULL if none was found that nobody holds. */
mi_segment_t* mi_communal_hold_for(size_t block_size, bool resident);
/* As mi_abandoned_hold, but waits while somebody else holds the segment: not on the way of malloc or free. */
mi_segment_t* mi_abandoned_hold_patiently(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* Holds the segment of the slot, if this sub-process abandoned it: nobody can adopt it meanwhile, and nobody
   owns it. NULL if it is not there, or somebody else holds it, who is told by mi_abandoned_let_go. */
mi_segment_t* mi_abandoned_hold(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* The opposite. True if another thread wanted to hold the segment meanwhile. */
bool mi_abandoned_let_go(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* In place of that, before the segment is freed. */
void mi_abandoned_ends(mi_subproc_t* subproc, const mi_segment_t* segment);

/* Takes some segment that tld->arena admits and its sub-process abandoned, or returns NULL if no
   chunk has one. Goes on where the last search of this thread ended. */
mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld);

/* Takes each of those that are abandoned now, one after the other. `fn` frees it or abandons it
   again. */
typedef void mi_segment_fun(mi_segments_tld_t* tld, mi_segment_t* segment);
void mi_segments_adopt_each(mi_segments_tld_t* tld, mi_segment_fun* fn);

/* Calls fn for every segment, also huge, that the sub-process has abandoned and nobody adopts
   before its turn, until fn returns false; then the result is false. Meanwhile blocks in the segment
   may be freed as ever, which changes no more of it than the lists thread_free; a huge block that is
   freed stays readable until fn returns. One thread visits at a time: others wait. Not to be called
   by fn; see mi_abandoned_is_visiting. */
typedef bool mi_segment_visit_fun(mi_segment_t* segment, void* arg);
bool mi_abandoned_for_each(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg);
/* Whether the calling thread is in that. */
bool mi_abandoned_is_visiting(void);

/* Gives what the sub-process has abandoned to the first one. It has no threads, and gets none. */
void mi_abandoned_hand_over(mi_subproc_t* subproc);

/* Undoes what a visitor had begun that will not come back: the calling thread, which ends. */
void mi_abandoned_break_off(void);
/* The same in a forked child, where the visitor is not there. */
void mi_abandoned_forked(void);

#endif
