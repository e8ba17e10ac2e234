/* Taking and releasing slots. Any thread may call these functions. None waits for another thread,
   but for a moment in an arena (mi_arena_take_slot). */
#ifndef MI_SLOT_H
#define MI_SLOT_H

#include "segment/units.h"

/* Takes a slot in which the units of `mask` can be taken, and takes them; *zero is as in
   mi_units_take. The slot is from `arena`; NULL: from any chunk that is in no exclusive arena, or
   from a new one. False if there is no memory. */
bool mi_slot_take(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero);
/* Releases a slot, of which the caller has released all units. */
void mi_slot_release(mi_slot_ref_t ref);

/* Like mi_slot_take, but takes any slot of this chunk. Pointers into the slot are not recognised
   before the caller calls mi_slot_enter. *busy is set if a slot was free, but some unit of `mask`
   was just being purged, or could not be committed. */
bool mi_slot_take_in(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero, bool* busy);
/* Like mi_slot_take_in, but takes this slot. */
bool mi_slot_take_this(mi_slot_ref_t ref, uint64_t mask, bool* zero, bool* busy);
/* To be called after mi_slot_take_in or mi_slot_take_this: from now on pointers into the slot are
   recognised. `starts`: a segment starts in it; otherwise the slot is the inside of one. */
void mi_slot_enter(uint8_t* slot, bool starts);

/* The number of the chunk at which a search for free slots begins: below it there were none at the
   last look. */
size_t mi_slot_search_start(void);
/* Says that a search is to begin no later than at the chunk with this number. */
void mi_slot_search_from(size_t chunk);

/* In a forked child: calls mi_units_restore for every free slot. */
mi_cold void mi_free_slots_restore(void);

#endif
