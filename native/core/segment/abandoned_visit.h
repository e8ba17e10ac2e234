/* Looking at what ended threads left, and giving it to others. One thread at a time does; others wait. */
#ifndef MI_ABANDONED_VISIT_H
#define MI_ABANDONED_VISIT_H

#include "segment/segment.h"
#include "segment/subproc.h"

/* Calls fn for every segment, also huge, that the sub-process has abandoned and nobody adopts
   before its turn, until fn returns false; then the result is false. Meanwhile blocks in the segment
   may be freed as ever, which changes no more of it than the lists thread_free; a huge block that is
   freed stays readable until fn returns. Not to be called by fn; see mi_abandoned_is_visiting. Calls `missed` after
   fn for each slot whose segment another thread wanted to hold meanwhile, or this one in fn. */
typedef bool mi_segment_visit_fun(mi_segment_t* segment, void* arg);
typedef void mi_missed_fun(mi_subproc_t* subproc, mi_slot_ref_t slot);
bool mi_abandoned_for_each(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg,
                           mi_missed_fun* missed);
/* Whether the calling thread is in that, and whether at the segment of this slot. */
bool mi_abandoned_is_visiting(void);
bool mi_abandoned_visits(mi_slot_ref_t ref);

/* Gives what the sub-process has abandoned to the first one. It has no threads, and gets none. `missed` as above. */
void mi_abandoned_hand_over(mi_subproc_t* subproc, mi_missed_fun* missed);

/* Undoes what a visitor had begun that will not come back: the calling thread, which ends. */
void mi_abandoned_break_off(void);
/* The same in a forked child, where the visitor is not there. */
void mi_abandoned_visit_forked(void);
/* In the child: whether the calling thread is visiting a run, and has pinned that slot. */
bool mi_abandoned_visits_run(mi_slot_ref_t* slot);
/* There: bytes of the mapping that a visitor has pinned, if its block was freed meanwhile: it is in no table. */
size_t mi_abandoned_visits_freed(void);

#endif
