/* Where communal segments (heap/communal.h) have room. */
#ifndef MI_COMMUNAL_ROOM_H
#define MI_COMMUNAL_ROOM_H

#include "segment/segment.h"

/* Holds a communal segment (segment/abandoned.h) in which a page of this bin, of blocks above MI_MEDIUM_BLOCK_MAX, seems
   to have room; with `resident`, beginning where memory is resident, in the first chunks that may have room. NULL if
   none was found that nobody holds. */
mi_segment_t* mi_communal_hold_for(unsigned bin, bool resident);

/* There may be more room in the slot than there was. After the segment can be held again: who passed it by meanwhile
   has gone on. */
void mi_communal_note_room(mi_slot_ref_t ref);

#endif
