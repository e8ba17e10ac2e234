/* Visiting what ended threads left, and giving it to the first sub-process. One thread at a time
   does either; others wait. */
#ifndef MI_ABANDONED_VISIT_H
#define MI_ABANDONED_VISIT_H

#include "segment/segment.h"
#include "segment/subproc.h"

typedef bool mi_segment_visit_fun(mi_segment_t* segment, void* arg);
typedef void mi_missed_fun(mi_subproc_t* subproc, mi_slot_ref_t slot);

/* Calls fn for every segment, also huge ones, that the sub-process has abandoned and that no thread
   adopts before its turn. Stops when fn returns false; then the result is false. While fn runs,
   other threads may free blocks in the segment, which changes nothing in it but the lists
   thread_free; a huge block that is freed stays readable until fn returns. fn must not call this
   function; see mi_abandoned_is_visiting. After fn, `missed` is called for each slot whose segment
   another thread, or fn itself, wanted to hold meanwhile. */
bool mi_abandoned_for_each(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg,
                           mi_missed_fun* missed);

/* Whether the calling thread is in mi_abandoned_for_each or mi_abandoned_hand_over. */
bool mi_abandoned_is_visiting(void);
/* Whether the calling thread is visiting the segment of this slot. */
bool mi_abandoned_visits(mi_slot_ref_t ref);

/* Gives what the sub-process has abandoned to the first sub-process. The caller makes sure that it
   has no threads, and gets none. Calls `missed` as mi_abandoned_for_each does. */
void mi_abandoned_hand_over(mi_subproc_t* subproc, mi_missed_fun* missed);

/* Undoes what the calling thread, which ends, had begun as a visitor. */
void mi_abandoned_break_off(void);
/* In a forked child: undoes what a lost thread had begun as a visitor. */
void mi_abandoned_visit_forked(void);
/* In a forked child: whether the calling thread is visiting a run of slots, and so has pinned
   *slot. */
bool mi_abandoned_visits_run(mi_slot_ref_t* slot);
/* In a forked child: bytes of the mapping that a visitor has pinned, if its block was freed
   meanwhile and so the segment table does not have it any more; else 0. */
size_t mi_abandoned_visits_freed(void);

#endif
