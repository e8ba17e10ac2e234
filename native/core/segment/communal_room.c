#include "segment/communal_room.h"

#include "segment/mark.h"
#include "segment/place.h"

/* By the logarithm of the units that are wanted: what has room is most likely in this chunk or a
   later one. A hint: what was held when it was looked at is passed by, as what is too short for one size of these. */
static _Atomic(size_t) room_from[MI_ROOM_COUNT];

static uint64_t free_units(mi_slot_ref_t ref) {
  mi_slot_t* slot = mi_slot_state(ref);
  return (atomic_load_explicit(&slot->dirty, memory_order_relaxed) |
          atomic_load_explicit(&slot->clean, memory_order_relaxed)) &
         ~(uint64_t)1;
}

void mi_communal_note_room(mi_slot_ref_t ref) {
  int longest = mi_longest_run(free_units(ref));
  for (int i = 0; i <= longest; i++) {
    if (atomic_load_explicit(&room_from[i], memory_order_relaxed) > ref.chunk->number) {
      atomic_store_explicit(&room_from[i], ref.chunk->number, memory_order_relaxed);
    }
  }
}

/* Looks at what belongs to the slot, not at the segment, which may end at any time. */
static bool seems_to_fit(mi_slot_ref_t ref, size_t block_size, bool resident) {
  uint64_t places = mi_places_for(free_units(ref), block_size);
  if (resident) places &= atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  return places != 0;
}

static mi_segment_t* hold_in_chunk(mi_chunk_t* chunk, size_t block_size, bool resident) {
  for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
    mi_slot_ref_t ref = {chunk, index};
    if (mi_mark_peek(ref) == &mi_subproc_communal && seems_to_fit(ref, block_size, resident) &&
        mi_mark_take(ref, &mi_subproc_communal)) {
      return (mi_segment_t*)mi_slot_start(ref);
    }
  }
  return NULL;
}

/* In the chunks from `from` to before `to`; *from becomes where it was found. */
static mi_segment_t* hold_between(size_t* from, size_t to, size_t block_size, bool resident) {
  for (; *from < to; ++*from) {
    mi_segment_t* segment = hold_in_chunk(mi_chunk_at(*from), block_size, resident);
    if (segment != NULL) return segment;
  }
  return NULL;
}

mi_segment_t* mi_communal_hold_for(size_t block_size, bool resident) {
  enum { MOST_FOR_RESIDENT = 4 };
  _Atomic(size_t)* from = &room_from[mi_bsr64(mi_units_for(block_size))];
  size_t first = atomic_load_explicit(from, memory_order_relaxed);
  size_t i = first;
  size_t end = mi_chunk_count();
  if (resident) {
    size_t most = first + MOST_FOR_RESIDENT;
    return hold_between(&i, end < most ? end : most, block_size, true);
  }
  mi_segment_t* segment = hold_between(&i, end, block_size, false);
  if (segment == NULL) {
    i = 0;
    segment = hold_between(&i, first < end ? first : end, block_size, false);
  }
  if (segment != NULL && i != first) atomic_store_explicit(from, i, memory_order_relaxed);
  return segment;
}
