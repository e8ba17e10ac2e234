/* Making used memory zero. */
#ifndef MI_CLEAR_H
#define MI_CLEAR_H

#include "segment/slot_ref.h"

/* Makes the memory between two boundaries of system pages read as zero. What is resident is
   cleared. Where less than half is, the memory goes back to the system instead: to clear it would
   bring in the rest. `slot`: where the memory lies; chunk NULL: in a mapping. For the thread that
   owns the memory. */
void mi_clear_used(mi_slot_ref_t slot, uint8_t* from, uint8_t* to);

#endif
