/* A pin keeps a segment of another thread where it is while a thread looks at it. The owner never
   waits for a pin: it ends its segment all the same, and the last thread to leave releases the
   slot.

   The word mi_slot_t.pins is LIVE, set while the slot holds a segment, plus the number of pins.
   (For a moment before LIVE is cleared the cookie is 0: the segment is ending, or has been moved
   away with its header.) The thread that brings the word to 0 releases the slot, and only one
   thread does. */
#ifndef MI_PIN_H
#define MI_PIN_H

#include "segment/slot_ref.h"

/* For the thread that made the segment in this slot, when it has written its header. */
void mi_segment_go_live(mi_slot_ref_t ref);
/* For the owner, when it is done with the segment: releases the slot now, or with the last pin. */
void mi_segment_end(mi_slot_ref_t ref);

/* Pins the segment in the slot; NULL if there is none. Any thread. Until it is unpinned, its header
   and the descriptors of pages in use (mi_segment_pages_of_other) can be read: of the header, what
   stays the same as long as the segment (page_shift, huge, slot_index, chunk, header_size),
   coarse_pages and lock; of a descriptor, thread_free, freer, seen and purged; once the caller has
   taken the list, all that page/holes.h needs; and the owner's line with the owner's lock, or for a
   guess (page/scavenge.c). */
mi_segment_t* mi_segment_pin(mi_slot_ref_t ref);
void mi_segment_unpin(mi_slot_ref_t ref);

/* In a forked child: forgets all pins but these, which the calling thread has. The threads that had
   the others are lost. */
mi_cold void mi_pins_forget(const mi_slot_ref_t* mine, size_t count);
/* In a forked child, of a slot that is not free: whether a segment is in it. */
mi_cold bool mi_segment_is_live(mi_slot_ref_t ref);
/* In a forked child, of a slot that is not free: whether a lost thread was taking or releasing it.
   There is no segment in it, and the calling thread has none pinned there. */
mi_cold bool mi_slot_is_lost(mi_slot_ref_t ref);

#endif
