/* A pin keeps a segment of another thread where it is while somebody looks at it. The owner never
   waits for a pin: it goes its way, and who leaves last releases the slot.

   The word mi_slot_t.pins is LIVE, set while the slot holds a segment, and the number of pins. (For a moment before
   LIVE is cleared the cookie is 0: the segment is ending, or has been moved away, with its header.) Who
   brings it to 0 releases the slot, and only one does. */
#ifndef MI_PIN_H
#define MI_PIN_H

#include "segment/slot_ref.h"

/* The caller, who made the segment in this slot, has written its header. */
void mi_segment_go_live(mi_slot_ref_t ref);
/* The caller, who owns the segment, is done with it: the slot is released now, or with the last
   pin. */
void mi_segment_end(mi_slot_ref_t ref);

/* The segment in the slot, or NULL if there is none. Any thread. Until it is unpinned, its
   header and the descriptors of pages in use (mi_segment_pages_of_other) can be read: of the header what stays the
   same as long as the segment (page_shift, huge, header_size) and long_pages, of a descriptor the word thread_free. */
mi_segment_t* mi_segment_pin(mi_slot_ref_t ref);
void mi_segment_unpin(mi_slot_ref_t ref);

/* In a forked child, where the threads that held pins do not exist: all pins but these of the calling thread are
   gone. */
mi_cold void mi_pins_forget(const mi_slot_ref_t* mine, size_t count);
/* There, of a slot that is not free: a segment is in it; and: none is, nor does the calling thread have it pinned. */
mi_cold bool mi_segment_is_live(mi_slot_ref_t ref);
mi_cold bool mi_slot_is_lost(mi_slot_ref_t ref);

#endif
