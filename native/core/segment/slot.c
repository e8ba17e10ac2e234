#include "segment/slot.h"

#include "segment/arena.h"
#include "segment/chunk.h"
#include "segment/map.h"

/* The number of a chunk at which a search begins: no chunk below it had a free slot at the last
   look. */
static _Atomic(size_t) search_start;

size_t mi_slot_search_start(void) {
  size_t from = atomic_load_explicit(&search_start, memory_order_relaxed);
  return from > mi_chunk_count() ? 0 : from;
}

void mi_slot_search_from(size_t chunk) {
  if (chunk < atomic_load_explicit(&search_start, memory_order_relaxed)) {
    atomic_store_explicit(&search_start, chunk, memory_order_relaxed);
  }
}

static void free_slot(mi_slot_ref_t ref) {
  uint32_t bit = 1u << ref.index;
  /* Release: the thread that takes the slot sees all that was done in it. */
  uint32_t before = atomic_fetch_or_explicit(&ref.chunk->free, bit, memory_order_release);
  mi_assert((before & bit) == 0);
  (void)before;
}

bool mi_slot_take_this(mi_slot_ref_t ref, uint64_t mask, bool* zero, bool* busy) {
  uint32_t bit = 1u << ref.index;
  /* Acquire pairs with the release in free_slot and publish_slots: the caller sees the chunk's
     start, and the last writes of the previous holder. */
  uint32_t before = atomic_fetch_and_explicit(&ref.chunk->free, ~bit, memory_order_acquire);
  if ((before & bit) == 0) return false;
  if (mi_units_take(ref, mask, zero)) return true;
  *busy = true;
  free_slot(ref);
  return false;
}

bool mi_slot_take_in(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero, bool* busy) {
  uint32_t candidates = atomic_load_explicit(&chunk->free, memory_order_relaxed);
  while (candidates != 0) {
    *ref = (mi_slot_ref_t){chunk, mi_ctz64(candidates)};
    candidates &= candidates - 1;
    if (mi_slot_take_this(*ref, mask, zero, busy)) return true;
  }
  return false;
}

/* Takes a slot of a chunk that has free slots now and serves all heaps; else false. */
static bool take_slot_for_all(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  bool busy;
  /* Acquire: a chunk with free slots has its final `arena`. */
  if (atomic_load_explicit(&chunk->free, memory_order_acquire) == 0) return false;
  if (!mi_arena_admits(chunk, NULL)) return false;
  if (mi_arena_of(chunk) != NULL && mi_option_is_enabled(mi_option_disallow_arena_alloc)) {
    return false;
  }
  return mi_slot_take_in(chunk, ref, mask, zero, &busy);
}

static bool
take_slot_in_range(size_t from, size_t to, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  for (size_t i = from; i < to; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    if (take_slot_for_all(chunk, ref, mask, zero)) {
      atomic_store_explicit(&search_start, i,
                            memory_order_relaxed); /* a hint: any value is right */
      return true;
    }
  }
  return false;
}

void mi_slot_enter(uint8_t* slot, bool starts) {
  if (mi_is_in_chunk(slot)) return;
  /* Cannot fail: the table has had room since the chunk was made. */
  mi_segment_table_add(starts ? slot : NULL, (mi_segment_t*)slot, MI_SEGMENT_SIZE);
}

static bool take_slot_in_new_chunk(mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  if (!mi_slots_take_new(1, ref)) return false;
  atomic_store_explicit(&search_start, ref->chunk->number, memory_order_relaxed);
  if (mi_units_take(*ref, mask, zero)) return true;
  free_slot(*ref);
  return false;
}

bool mi_slot_take(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  size_t count = mi_chunk_count();
  size_t from = mi_slot_search_start();
  if (arena != NULL ? mi_arena_take_slot(arena, ref, mask, zero)
                    : take_slot_in_range(from, count, ref, mask, zero) ||
                          take_slot_in_range(0, from, ref, mask, zero) ||
                          take_slot_in_new_chunk(ref, mask, zero)) {
    mi_slot_enter(mi_slot_start(*ref), true);
    return true;
  }
  return false;
}

void mi_slot_release(mi_slot_ref_t ref) {
  mi_chunk_t* chunk = ref.chunk;
  size_t number = chunk->number; /* before the slot is another segment's, or unmapped */
  if (!mi_chunk_is_whole(chunk)) mi_segment_table_remove(mi_slot_start(ref), MI_SEGMENT_SIZE);
  bool for_all = mi_arena_admits(chunk, NULL);
  free_slot(ref);
  if (for_all) mi_slot_search_from(number);
}

void mi_free_slots_restore(void) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    uint32_t free = atomic_load(&walk.slot.chunk->free);
    if ((free >> walk.slot.index & 1) != 0) mi_units_restore(walk.slot, 0);
  }
}
