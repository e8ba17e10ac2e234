/* Chunks: reserving address space for slots, and giving it back. Any thread may call these
   functions; none waits for another thread. */
#ifndef MI_CHUNK_H
#define MI_CHUNK_H

#include "segment/slot_ref.h"

/* False for a chunk at an end of an arena, and for one of a single slot: their slots are in the
   segment table, not in the chunk map. */
mi_inline bool mi_chunk_is_whole(const mi_chunk_t* chunk) {
  return chunk->slot_count == MI_SLOTS_PER_CHUNK;
}

/* Reserves address space, as much as the option arena_reserve says, makes chunks of it, and takes
   the first `count` slots, all units of which are clean. The other slots are free for any thread.
   False if there is no memory. */
bool mi_slots_take_new(unsigned count, mi_slot_ref_t* first);

/* Unmaps every chunk from the system in which nothing is in use. */
mi_cold void mi_chunks_unmap_free(void);

/* Takes descriptors for the chunks of an arena. False if there is no memory for them. */
mi_cold bool mi_chunks_reserve(mi_arena_t* arena);
/* Gives them back, instead of mi_chunks_publish. */
mi_cold void mi_chunks_unreserve(const mi_arena_t* arena);
/* Makes the chunks of an arena, with all slots free. */
mi_cold void mi_chunks_publish(mi_arena_t* arena);

#endif
