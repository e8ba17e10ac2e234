#include "heap/communal_room.h"

#include "page/size_class.h"
#include "segment/mark.h"
#include "segment/place.h"

/* For each bin, the number of a chunk: room for a page of the bin is most likely in this chunk or a
   later one. */
static _Atomic(size_t) room_from[MI_BIN_HUGE];

/* How many searches found nothing. Not all room is noted: units may just be purged when a slot is
   looked at, and a thread that passed by a held segment may note a later chunk after that segment
   was let go. So after as many failures as the process has chunks, all chunks are searched
   again. */
static _Atomic(size_t) failures;

static uint64_t free_units(mi_slot_ref_t ref) {
  mi_slot_t* slot = mi_slot_state(ref);
  return (atomic_load_explicit(&slot->dirty, memory_order_relaxed) |
          atomic_load_explicit(&slot->clean, memory_order_relaxed)) &
         ~(uint64_t)1;
}

void mi_communal_note_room(mi_slot_ref_t ref) {
  int longest = mi_longest_span(free_units(ref));
  size_t most = longest < 0 ? 0 : (size_t)MI_UNIT_SIZE * 2 << longest;
  for (unsigned bin = MI_BIN_LARGE; bin < MI_BIN_HUGE && mi_bin_block_size(bin) < most; bin++) {
    if (atomic_load_explicit(&room_from[bin], memory_order_relaxed) > ref.chunk->number) {
      atomic_store_explicit(&room_from[bin], ref.chunk->number, memory_order_relaxed);
    }
  }
}

/* Whether the slot seems to have room for a page of such a block. Only looks at the state of the
   slot, not at the segment, which may end at any time. */
static bool seems_to_fit(mi_slot_ref_t ref, size_t block_size, bool resident) {
  uint64_t places = mi_places_for(free_units(ref), block_size);
  if (resident) places &= atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  return places != 0;
}

static void note_first(unsigned bin, size_t before, size_t now) {
  if (now != before) atomic_store_explicit(&room_from[bin], now, memory_order_relaxed);
}

static void look_again(size_t chunks) {
  if (atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed) < chunks) return;
  atomic_store_explicit(&failures, 0, memory_order_relaxed);
  for (unsigned bin = MI_BIN_LARGE; bin < MI_BIN_HUGE; bin++) {
    atomic_store_explicit(&room_from[bin], 0, memory_order_relaxed);
  }
}

mi_segment_t* mi_communal_hold_for(unsigned bin, bool resident) {
  enum { MOST_FOR_RESIDENT = 4 };
  size_t first = atomic_load_explicit(&room_from[bin], memory_order_relaxed);
  size_t end = mi_chunk_count();
  if (first > end) first = end; /* another thread, which noted it, has seen a chunk that is new */
  if (resident && end > first + MOST_FOR_RESIDENT) end = first + MOST_FOR_RESIDENT;
  for (mi_slot_walk_t walk = mi_walk_slots_of(first, end - first); mi_next_slot(&walk);) {
    mi_slot_ref_t ref = walk.slot;
    if (mi_mark_peek(ref) != &mi_subproc_communal ||
        !seems_to_fit(ref, mi_bin_block_size(bin), resident) ||
        !mi_mark_take(ref, &mi_subproc_communal)) {
      continue;
    }
    if (!resident) note_first(bin, first, ref.chunk->number);
    return (mi_segment_t*)mi_slot_start(ref);
  }
  if (resident) return NULL;
  note_first(bin, first, end);
  look_again(end);
  return NULL;
}
