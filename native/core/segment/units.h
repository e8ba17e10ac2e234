/* The units of a slot: which of them are dirty or clean, and how they are taken and released. Any
   thread may call these functions; none waits for another thread. */
#ifndef MI_UNITS_H
#define MI_UNITS_H

#include "bits.h"
#include "segment/slot_ref.h"

/* Takes all units of `mask`, or none. *zero: all of them read as zero. False if one of them is
   being purged, or cannot be committed. The caller holds the slot. */
bool mi_units_take(mi_slot_ref_t ref, uint64_t mask, bool* zero);

/* Releases units: `dirty` are those that were written, `clean` those that were not. Dirty units are
   purged once they were dirty for the delay (segment/pace.h). */
void mi_units_release(mi_slot_ref_t ref, uint64_t dirty, uint64_t clean);

/* Counts units as committed memory (sign 1), or no longer (-1). They are committed from the
   time they leave `clean` until they are back in it. */
void mi_units_count_committed(uint64_t units, int sign);

/* In a forked child: completes what a lost thread was doing to units of the slot. A unit that is
   neither dirty, nor clean, nor in `used` was being purged or taken: it becomes dirty; or clean, if
   it was never made writable. */
mi_cold void mi_units_restore(mi_slot_ref_t ref, uint64_t used);

#endif
