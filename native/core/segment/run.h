/* Runs of slots next to each other, each for one huge segment.

   In a chunk from the system a run takes only the units that the segment needs; the units behind
   them in its last slot stay free, and are purged as all free units are. Such a run lies in one
   chunk, so it has at most MI_SLOTS_PER_CHUNK slots. In an arena a run takes all units of its
   slots, and may reach over several chunks. */
#ifndef MI_RUN_H
#define MI_RUN_H

#include "segment/arena.h"

#define MI_RUN_UNITS_MAX (MI_SLOTS_PER_CHUNK * MI_UNITS_PER_SEGMENT)

/* Takes a run for `units` units, from `arena`; NULL: from a shared arena or a chunk. *zero: all
   units read as zero. False if there is no memory for it, or if no chunk can hold so many. */
bool mi_run_take(mi_arena_t* arena, size_t units, mi_slot_ref_t* first, bool* zero);

/* Changes the run to `units` units without moving it. *zero: the added units read as zero. Units
   that are given up are dirty. False if there is no room behind the run; then nothing has
   changed. */
bool mi_run_resize(mi_slot_ref_t first, size_t units, bool* zero);

/* Says that the run's memory was moved elsewhere: its units will be clean when it is released. */
void mi_run_moved(mi_slot_ref_t first);

/* Releases the run; its units become dirty, or clean after mi_run_moved. The caller is the last to
   leave its segment (segment/pin.h), or does it for a lost thread. */
void mi_run_release(mi_slot_ref_t first);

/* The number of slots in the run that begins in this slot; 1: an ordinary slot. The slot must not
   be the inside of a run. Right in a forked child too, wherever lost threads stood. */
size_t mi_run_slots(mi_slot_ref_t first);

/* Bytes in the units of a run. */
size_t mi_run_size(mi_slot_ref_t first);

/* In a forked child: makes dirty what a lost thread was purging in the slots of the run. */
void mi_run_restore(mi_slot_ref_t first);

#endif
