/* Runs of slots next to each other, for one huge segment. Of its units only those are taken that the
   segment needs: what lies behind them stays as it is, and is purged like all that is free.

   In a chunk from the system at most MI_SLOTS_PER_CHUNK slots are together, in an arena all. */
#ifndef MI_RUN_H
#define MI_RUN_H

#include "segment/arena.h"

#define MI_RUN_UNITS_MAX (MI_SLOTS_PER_CHUNK * MI_UNITS_PER_SEGMENT)

/* Takes a run for `units`. From `arena`; NULL: from a shared arena or a chunk. False if there is no memory
   for that, or if no chunk can hold so many. */
bool mi_run_take(mi_arena_t* arena, size_t units, mi_slot_ref_t* first, bool* zero);

/* The run has `units` units from now on, where it is: false, and nothing has changed, if there is no room
   behind it. *zero: those that are new read as zero. What is given up is dirty. */
bool mi_run_resize(mi_slot_ref_t first, size_t units, bool* zero);

/* The run's memory was moved elsewhere, and has none itself: its units are clean. */
void mi_run_moved(mi_slot_ref_t first);

/* Called by the last one who leaves the segment in it (segment/pin.h). Its units are dirty. */
void mi_run_release(mi_slot_ref_t first);

/* The slots of the run that begins in this slot, which is not inside of one; 1: an ordinary one. In a
   forked child too, whatever the other threads were doing. */
size_t mi_run_slots(mi_slot_ref_t first);

/* Bytes of the slots of a run. */
size_t mi_run_size(mi_slot_ref_t first);

/* In a forked child: what a thread which is not there was purging of the run's slots is dirty. */
void mi_run_restore(mi_slot_ref_t first);

#endif
