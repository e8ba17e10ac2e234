/* Abandoned segments: what ended threads left. They have no owner. Each has a mark in its chunk
   (segment/mark.h) that names the sub-process of the thread that left it; threads of other
   sub-processes pass it by. */
#ifndef MI_ABANDONED_H
#define MI_ABANDONED_H

#include "segment/segment.h"
#include "segment/subproc.h"

/* Abandons the segment. The caller owns it, no page of it is in a heap any more, every page with
   live blocks is in state NORMAL, and the segment is in no queue. The caller must not touch it
   afterwards, unless it holds it again. If others know blocks in it, the caller does so once, and
   looks at all pages (mi_heap_free_abandoned_pages): threads that freed their last blocks meanwhile
   may have come in vain. */
void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Adopts the segment if this thread's sub-process abandoned it; the caller then owns it. The caller
   holds a live block in it, so that it cannot vanish meanwhile. */
bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Adopts some segment that the sub-process abandoned and tld->arena admits; NULL if no chunk has
   one. Goes on where the last search of this thread ended. */
mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld);

/* ---- Holding ---- */

/* Holds the segment of the slot, if this sub-process abandoned it: until mi_abandoned_let_go no
   other thread can adopt or hold it, and no thread owns it. NULL if there is no such segment, or if
   another thread holds it; mi_abandoned_let_go then tells that thread of this call. */
mi_segment_t* mi_abandoned_hold(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* Like mi_abandoned_hold, but waits while another thread holds the segment. Never to be called by
   malloc or free. */
mi_segment_t* mi_abandoned_hold_patiently(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* Ends the hold of a segment, which then is abandoned by `subproc`. True if another thread wanted
   to hold it meanwhile. */
bool mi_abandoned_let_go(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* To be called in place of mi_abandoned_let_go, before the segment that the caller holds is freed,
   and its mark with it. */
void mi_abandoned_ended(mi_subproc_t* subproc, mi_slot_ref_t ref);

/* ---- Counts ---- */

/* The number of segments that are abandoned at this moment and that tld may adopt: those in its
   arena, if that is exclusive, else all others of its sub-process. The number of an exclusive arena
   includes those of other sub-processes. */
size_t mi_abandoned_count(const mi_segments_tld_t* tld);
/* The number of segments that the first sub-process has abandoned at this moment, and of all that
   lie in exclusive arenas. */
size_t mi_abandoned_total(void);

/* Counts the segment of the slot as abandoned by the first sub-process. The caller holds it as one
   of `from`, and is about to give it to the first sub-process. */
void mi_abandoned_count_given(mi_subproc_t* from, mi_slot_ref_t ref);

/* In a forked child: counts all marks anew. A lost thread may have been between setting a mark and
   counting it. */
void mi_abandoned_count_again(void);

#endif
