/* Where communal segments (heap/communal.h) have room. */
#ifndef MI_COMMUNAL_ROOM_H
#define MI_COMMUNAL_ROOM_H

#include "segment/segment.h"

/* Holds a communal segment (segment/abandoned.h) that seems to have room for a page of this bin,
   with blocks above MI_MEDIUM_BLOCK_MAX. With `resident`, the room begins where memory is resident,
   and only the first chunks that may have some are searched. NULL if none is found that can be
   held. */
mi_segment_t* mi_communal_hold_for(unsigned bin, bool resident);

/* Notes that the slot may have more room than before. To be called after the segment was let go:
   until then other threads pass it by, and may note that only later chunks have room. */
void mi_communal_note_room(mi_slot_ref_t ref);

#endif
