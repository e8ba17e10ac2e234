/* Segments without an owner: what ended threads left. Each is a mark in its chunk (segment/mark.h): that of the
   sub-process of the thread that left it; the threads of others pass it by. */
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

/* Takes some segment that tld->arena admits and its sub-process abandoned, or returns NULL if no
   chunk has one. Goes on where the last search of this thread ended. */
mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld);

/* ---- Holding ---- */

/* Holds the segment of the slot, if this sub-process abandoned it: nobody can adopt it meanwhile, and nobody
   owns it. NULL if it is not there, or somebody else holds it, who is told by mi_abandoned_let_go. */
mi_segment_t* mi_abandoned_hold(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* The same, but waits while somebody else holds the segment: not on the way of malloc or free. */
mi_segment_t* mi_abandoned_hold_patiently(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* The opposite. True if another thread wanted to hold the segment meanwhile. */
bool mi_abandoned_let_go(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* In place of that, when the segment that is held is about to be freed, and its mark with it. */
void mi_abandoned_ended(mi_subproc_t* subproc, mi_slot_ref_t ref);

/* ---- Counts ---- */

/* Segments abandoned at this moment that are for tld: those in its arena, if that is exclusive, or
   all others of its sub-process. Of an exclusive arena, other sub-processes' are counted too. */
size_t mi_abandoned_count(const mi_segments_tld_t* tld);
/* Those of the first sub-process, and of every exclusive arena. */
size_t mi_abandoned_total(void);

/* The segment of that slot is about to become the first sub-process's. */
void mi_abandoned_count_given(mi_subproc_t* from, mi_slot_ref_t ref);

/* In a forked child: threads that are not there may have been between a mark and its count. */
void mi_abandoned_count_again(void);

#endif
