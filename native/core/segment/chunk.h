/* Chunks, the slots in them, and the units of a slot: memory that no page uses, shared by all
   threads. Everything here may be called by any thread; nothing waits for another one. */
#ifndef MI_CHUNK_H
#define MI_CHUNK_H

#include "bits.h"
#include "options/report.h"
#include "segment/directory.h"

typedef struct mi_slot_ref_s {
  mi_chunk_t* chunk;
  unsigned index;
} mi_slot_ref_t;

mi_inline uint8_t* mi_slot_start(mi_slot_ref_t ref) {
  return ref.chunk->start + ((size_t)ref.index << MI_SEGMENT_SHIFT);
}
mi_inline mi_slot_t* mi_slot_state(mi_slot_ref_t ref) {
  mi_assert(ref.index < MI_SLOTS_PER_CHUNK);
  return &ref.chunk->slots[ref.index];
}

/* Takes a slot in which the units of `mask` can be taken, and takes them; *zero as in
   mi_units_take. From `arena`; NULL: from wherever it is not exclusive, and reserves another chunk
   if need be. False if there is no memory. */
bool mi_slot_take(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero);
/* The caller has released every unit of the slot. */
void mi_slot_release(mi_slot_ref_t ref);

/* For runs of slots (segment/run.h): where to begin to look for free ones; and reserves another chunk and
   takes its first slots, whose units are all clean. */
size_t mi_slot_search_start(void);
bool mi_slots_take_new(unsigned count, mi_slot_ref_t* first);

/* For mi_arena_t, which looks for slots by itself: takes some slot of a chunk, or this one. *busy:
   one was free, but not its units, or not for long enough. */
bool mi_slot_take_in(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero, bool* busy);
bool mi_slot_take_this(mi_slot_ref_t ref, uint64_t mask, bool* zero, bool* busy);
/* From now on pointers into a slot so taken are recognised. `starts`: a segment starts in it; else
   it is the inside of one. */
void mi_slot_enter(uint8_t* slot, bool starts);

/* Takes all units of `mask` or none. Fails if one is being purged, or cannot be committed.
   *zero: they all read as zero. The caller holds the slot. */
bool mi_units_take(mi_slot_ref_t ref, uint64_t mask, bool* zero);

/* Gives units back: `dirty` those that were written, `clean` those that were not. Dirty ones are
   due for a purge when they were dirty for the delay (segment/pace.h). */
void mi_units_release(mi_slot_ref_t ref, uint64_t dirty, uint64_t clean);

/* In a forked child: units of the slot that are in neither mask, and not in `used`, were being
   purged, or taken, by a thread that is not there. They are dirty, but for what was never committed. */
mi_cold void mi_units_restore(mi_slot_ref_t ref, uint64_t used);
/* The same for every free slot. */
mi_cold void mi_free_slots_restore(void);

/* Returns the addresses of every chunk in which nothing is in use to the system. */
mi_cold void mi_chunks_unmap_free(void);

/* The slots of some chunks, whatever is in them: for (walk = mi_walk_slots(); mi_next_slot(&walk);) walk.slot */
typedef struct mi_slot_walk_s {
  mi_slot_ref_t slot;
  size_t next; /* slots are numbered through all chunks */
  size_t end;
} mi_slot_walk_t;

mi_inline mi_slot_walk_t mi_walk_slots_of(size_t first_chunk, size_t count) {
  return (mi_slot_walk_t){.next = first_chunk * MI_SLOTS_PER_CHUNK,
                          .end = (first_chunk + count) * MI_SLOTS_PER_CHUNK};
}
mi_inline mi_slot_walk_t mi_walk_slots(void) { return mi_walk_slots_of(0, mi_chunk_count()); }
mi_inline bool mi_next_slot(mi_slot_walk_t* walk) {
  if (walk->next == walk->end) return false;
  walk->slot.chunk = mi_chunk_at(walk->next / MI_SLOTS_PER_CHUNK);
  walk->slot.index = (unsigned)(walk->next % MI_SLOTS_PER_CHUNK);
  walk->next++;
  return true;
}

/* Descriptors for an arena's chunks; then the chunks themselves, with all slots free. */
mi_cold bool mi_chunks_reserve(mi_arena_t* arena);
mi_cold void mi_chunks_publish(mi_arena_t* arena);

#endif
