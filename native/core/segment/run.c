#include "segment/run.h"

#include "bits.h"
#include "segment/chunk.h"
#include "segment/slot.h"

/* A bit of run_units: the memory has been moved away. */
#define MOVED ((uint32_t)1 << 31)

static uint32_t* units_of(mi_slot_ref_t first) { return &mi_slot_state(first)->run_units; }

static size_t slots_for(size_t units) {
  return (units + MI_UNITS_PER_SEGMENT - 1) / MI_UNITS_PER_SEGMENT;
}

static mi_slot_ref_t slot_at(mi_slot_ref_t first, size_t i) {
  return (mi_slot_ref_t){first.chunk, first.index + (unsigned)i};
}

/* The part of the first `units` units of a run that lies in its slot number i. */
static uint64_t mask_in(size_t i, size_t units) {
  size_t before = i * MI_UNITS_PER_SEGMENT;
  if (units <= before) return 0;
  size_t here = units - before;
  return mi_bits64(0, here < MI_UNITS_PER_SEGMENT ? (unsigned)here : MI_UNITS_PER_SEGMENT);
}

/* Releases the units of a run from number `from` to before `to`. */
static void release_units(mi_slot_ref_t first, size_t from, size_t to, bool clean) {
  for (size_t i = 0; i < slots_for(to); i++) {
    uint64_t mask = mask_in(i, to) & ~mask_in(i, from);
    if (mask != 0) mi_units_release(slot_at(first, i), clean ? 0 : mask, clean ? mask : 0);
  }
}

/* Takes the units of a run from number `from` to before `to`, all or none. */
static bool take_units(mi_slot_ref_t first, size_t from, size_t to, bool* zero) {
  *zero = true;
  for (size_t i = 0; i < slots_for(to); i++) {
    uint64_t mask = mask_in(i, to) & ~mask_in(i, from);
    bool these_are_zero = true;
    if (mask != 0 && !mi_units_take(slot_at(first, i), mask, &these_are_zero)) {
      size_t until = i * MI_UNITS_PER_SEGMENT;
      if (until > from) release_units(first, from, until, *zero);
      return false;
    }
    *zero = *zero && these_are_zero;
  }
  return true;
}

static uint32_t bits_of(size_t index, size_t count) {
  return (uint32_t)mi_bits64((unsigned)index, (unsigned)count);
}

/* Takes these slots if all are free. Acquire pairs with the release in mi_slot_release: the caller
   sees the last writes of the previous holders. */
static bool take_slots(mi_chunk_t* chunk, uint32_t slots) {
  uint32_t free = atomic_load_explicit(&chunk->free, memory_order_relaxed);
  do {
    if ((free & slots) != slots) return false;
  } while (!atomic_compare_exchange_weak_explicit(&chunk->free, &free, free & ~slots,
                                                  memory_order_acquire, memory_order_relaxed));
  return true;
}

/* Releases the slots of a run from number `from` to before `to`. */
static void release_slots(mi_slot_ref_t first, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) mi_slot_release(slot_at(first, i));
}

/* Bit per slot at which `count` free slots begin in the chunk; none in the chunk of an arena. */
static uint32_t places_in(mi_chunk_t* chunk, size_t count) {
  /* Acquire: a chunk with free slots has its final `arena`. */
  uint32_t free = atomic_load_explicit(&chunk->free, memory_order_acquire);
  for (size_t i = 1; i < count; i++) free &= free >> 1;
  return free == 0 || mi_arena_of(chunk) != NULL ? 0 : free;
}

static bool take_at(mi_slot_ref_t first, size_t units, bool* zero) {
  size_t count = slots_for(units);
  if (!take_slots(first.chunk, bits_of(first.index, count))) return false;
  if (take_units(first, 0, units, zero)) return true;
  release_slots(first, 0, count); /* a unit there is just being purged, or cannot be committed */
  return false;
}

static bool take_in(mi_chunk_t* chunk, size_t units, mi_slot_ref_t* first, bool* zero) {
  for (uint32_t places = places_in(chunk, slots_for(units)); places != 0; places &= places - 1) {
    *first = (mi_slot_ref_t){chunk, mi_ctz64(places)};
    if (take_at(*first, units, zero)) return true;
  }
  return false;
}

/* How many of the first `units` units from this slot on hold memory. The slots may be taken
   meanwhile. */
static size_t dirty_units(mi_slot_ref_t first, size_t units) {
  size_t dirty = 0;
  for (size_t i = 0; i < slots_for(units); i++) {
    const mi_slot_t* slot = mi_slot_state(slot_at(first, i));
    dirty +=
        mi_popcount64(atomic_load_explicit(&slot->dirty, memory_order_relaxed) & mask_in(i, units));
  }
  return dirty;
}

/* The place for a run that holds the most memory, of those that are looked at: the program would
   touch new memory elsewhere while this waits to be purged. False if none holds any. */
static bool find_dirty(size_t units, mi_slot_ref_t* best) {
  enum { LOOKS = 64 };
  size_t enough = units - units / 8, most = 0, count = mi_chunk_count();
  unsigned looks = LOOKS;
  for (size_t i = mi_slot_search_start(); i < count && looks > 0 && most < enough; i++, looks--) {
    uint32_t places = places_in(mi_chunk_at(i), slots_for(units));
    for (; places != 0 && looks > 1 && most < enough; places &= places - 1, looks--) {
      mi_slot_ref_t first = {mi_chunk_at(i), mi_ctz64(places)};
      size_t dirty = dirty_units(first, units);
      if (dirty <= most) continue;
      most = dirty;
      *best = first;
    }
  }
  return most > 0;
}

static bool take_in_range(size_t from, size_t to, size_t units, mi_slot_ref_t* first, bool* zero) {
  while (from < to && !take_in(mi_chunk_at(from), units, first, zero)) from++;
  return from < to;
}

static bool take_in_chunks(size_t units, mi_slot_ref_t* first, bool* zero) {
  size_t count = mi_chunk_count();
  size_t from = mi_slot_search_start();
  if (find_dirty(units, first) && take_at(*first, units, zero)) return true;
  if (take_in_range(from, count, units, first, zero)) return true;
  if (take_in_range(0, from, units, first, zero)) return true;
  if (!mi_slots_take_new((unsigned)slots_for(units), first)) return false;
  if (take_units(*first, 0, units, zero)) return true;
  release_slots(*first, 0, slots_for(units));
  return false;
}

bool mi_run_take(mi_arena_t* arena, size_t units, mi_slot_ref_t* first, bool* zero) {
  size_t slots = slots_for(units);
  if (mi_arena_take_run(arena, slots, first, zero)) {
    *units_of(*first) = (uint32_t)(slots * MI_UNITS_PER_SEGMENT);
    return true;
  }
  if (arena != NULL || units > MI_RUN_UNITS_MAX || !take_in_chunks(units, first, zero))
    return false;
  mi_slot_enter(mi_slot_start(*first), true);
  *units_of(*first) = (uint32_t)units;
  return true;
}

/* In an arena a run has whole slots. */
static bool resize_in_arena(mi_slot_ref_t first, size_t units, bool* zero) {
  size_t had = slots_for(*units_of(first));
  size_t slots = slots_for(units);
  if (slots > had && !mi_arena_extend_run(first, had, slots, zero)) return false;
  /* run_units never counts slots that may be another run's: a forked child relies on that
     (mi_run_slots). */
  *units_of(first) = (uint32_t)(slots * MI_UNITS_PER_SEGMENT);
  if (slots < had) mi_arena_release_run(first, slots, had);
  return true;
}

bool mi_run_resize(mi_slot_ref_t first, size_t units, bool* zero) {
  uint32_t old = *units_of(first);
  *zero = false;
  if (mi_arena_of(first.chunk) != NULL) return resize_in_arena(first, units, zero);
  if (units > MI_RUN_UNITS_MAX) return false;
  size_t slots = slots_for(units);
  size_t old_slots = slots_for(old);
  if (units <= old) {
    *units_of(first) = (uint32_t)units; /* before the slots are another run's: see mi_run_slots */
    release_units(first, units, old, false);
    release_slots(first, slots, old_slots);
    return true;
  }
  if (first.index + slots > MI_SLOTS_PER_CHUNK) return false;
  bool more = slots > old_slots;
  if (more && !take_slots(first.chunk, bits_of(first.index + old_slots, slots - old_slots))) {
    return false;
  }
  if (!take_units(first, old, units, zero)) {
    release_slots(first, old_slots, slots);
    return false;
  }
  *units_of(first) = (uint32_t)units;
  return true;
}

void mi_run_moved(mi_slot_ref_t first) { *units_of(first) |= MOVED; }

void mi_run_release(mi_slot_ref_t first) {
  bool moved = (*units_of(first) & MOVED) != 0;
  size_t units = *units_of(first) & ~MOVED;
  *units_of(first) = 0;
  if (mi_arena_of(first.chunk) != NULL) {
    mi_arena_release_run(first, 0, units / MI_UNITS_PER_SEGMENT);
    return;
  }
  release_units(first, 0, units, moved);
  release_slots(first, 0, slots_for(units));
}

size_t mi_run_slots(mi_slot_ref_t first) {
  uint32_t units = *units_of(first) & ~MOVED;
  return units == 0 ? 1 : slots_for(units);
}

size_t mi_run_size(mi_slot_ref_t first) { return (size_t)*units_of(first) << MI_UNIT_SHIFT; }

void mi_run_restore(mi_slot_ref_t first) {
  size_t units = *units_of(first) & ~MOVED;
  if (mi_arena_of(first.chunk) != NULL) return; /* a run in an arena has all units of its slots */
  for (size_t i = 0; i < slots_for(units); i++) {
    mi_units_restore(slot_at(first, i), mask_in(i, units));
  }
}
