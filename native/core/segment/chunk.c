#include "segment/chunk.h"

#include <errno.h>

#include "options/report.h"
#include "os/rare.h"
#include "segment/map.h"
#include "segment/memory.h"
#include "segment/purge.h"
#include "stats/stats.h"

/* ---- The directory: blocks of descriptors, made when needed and never freed ---- */

#define PER_BLOCK 64u
#define BLOCK_COUNT 4096u /* 8 TiB */

typedef struct chunk_block_s {
  mi_chunk_t chunks[PER_BLOCK];
} chunk_block_t;

static _Atomic(chunk_block_t*) directory[BLOCK_COUNT];
static _Atomic(size_t) chunk_count;
/* No chunk below this one had a free slot when last looked at: where a search begins. */
static _Atomic(size_t) search_start;

size_t mi_chunk_count(void) { return atomic_load_explicit(&chunk_count, memory_order_acquire); }

mi_chunk_t* mi_chunk_at(size_t index) {
  chunk_block_t* block = atomic_load_explicit(&directory[index / PER_BLOCK], memory_order_acquire);
  return &block->chunks[index % PER_BLOCK];
}

/* Makes sure that there is a descriptor with this number. */
static bool make_descriptor(size_t index) {
  if (index >= BLOCK_COUNT * PER_BLOCK) return false;
  if (atomic_load_explicit(&directory[index / PER_BLOCK], memory_order_acquire) != NULL)
    return true;
  chunk_block_t* made = mi_memory_map(sizeof(chunk_block_t), MI_WORD_SIZE, MI_MAP_ADDRESSES);
  if (made == NULL) return false;
  chunk_block_t* other = NULL;
  if (!atomic_compare_exchange_strong_explicit(&directory[index / PER_BLOCK], &other, made,
                                               memory_order_acq_rel, memory_order_acquire)) {
    mi_memory_unmap(made, sizeof(chunk_block_t));
  }
  return true;
}

void mi_chunk_directory_unmap(void) {
  atomic_store_explicit(&chunk_count, 0, memory_order_relaxed);
  for (size_t i = 0; i < BLOCK_COUNT; i++) {
    chunk_block_t* block = atomic_exchange_explicit(&directory[i], NULL, memory_order_acquire);
    if (block != NULL) mi_memory_unmap(block, sizeof(chunk_block_t));
  }
}

/* A descriptor that no chunk has. */
static bool take_descriptor(size_t* index) {
  size_t count = mi_chunk_count();
  for (*index = 0; *index < count; ++*index) {
    mi_chunk_t* chunk = mi_chunk_at(*index);
    if (atomic_load_explicit(&chunk->vacant, memory_order_relaxed) &&
        atomic_exchange_explicit(&chunk->vacant, false, memory_order_acquire)) {
      return true;
    }
  }
  do {
    if (!make_descriptor(*index)) return false;
  } while (!atomic_compare_exchange_weak_explicit(&chunk_count, index, *index + 1,
                                                  memory_order_acq_rel, memory_order_relaxed));
  return true;
}

/* ---- Units ---- */

static uint8_t* unit_start(mi_slot_ref_t ref, unsigned unit) {
  return mi_slot_start(ref) + ((size_t)unit << MI_UNIT_SHIFT);
}

static bool commit_units(mi_slot_ref_t ref, uint64_t mask) {
  while (mask != 0) {
    mi_run_t run = mi_first_run(mask);
    if (!mi_os_commit(unit_start(ref, run.first), (size_t)run.count << MI_UNIT_SHIFT)) return false;
    mask &= ~mi_bits64(run.first, run.count);
  }
  return true;
}

/* Units count from the time they leave `clean` until they are back. */
static void count_committed(uint64_t units, int sign) {
  mi_level_change(&mi_process_stats.committed,
                  sign * (int64_t)(mi_popcount64(units) * MI_UNIT_SIZE));
}

bool mi_units_take(mi_slot_ref_t ref, uint64_t mask, bool* zero) {
  mi_slot_t* slot = mi_slot_state(ref);
  /* Acquire pairs with the release of who set the bits: its writes to the memory, or its purge, are
     over. */
  uint64_t was_dirty = atomic_fetch_and_explicit(&slot->dirty, ~mask, memory_order_acquire) & mask;
  uint64_t was_clean = 0;
  mi_race_window();
  if (was_dirty != mask) {
    was_clean = atomic_fetch_and_explicit(&slot->clean, ~mask, memory_order_acquire) & mask;
  }
  if (was_clean != 0) count_committed(was_clean, 1);
  if ((was_dirty | was_clean) != mask || !commit_units(ref, was_clean)) {
    mi_units_release(ref, was_dirty, was_clean);
    return false;
  }
  *zero = was_dirty == 0 && atomic_load_explicit(&slot->clean_is_zero, memory_order_relaxed);
  return true;
}

void mi_units_release(mi_slot_ref_t ref, uint64_t dirty, uint64_t clean) {
  mi_slot_t* slot = mi_slot_state(ref);
  if (clean != 0) {
    count_committed(clean, -1);
    atomic_fetch_or_explicit(&slot->clean, clean, memory_order_release);
  }
  if (dirty == 0) return;
  atomic_fetch_or(&slot->dirty, dirty); /* before the look at purge_at: see purge_slot */
  mi_purge_schedule(ref);
}

/* ---- Slots ---- */

static bool take_slot_in(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  uint32_t candidates = atomic_load_explicit(&chunk->free, memory_order_relaxed);
  while (candidates != 0) {
    unsigned index = mi_ctz64(candidates);
    uint32_t bit = 1u << index;
    candidates &= ~bit;
    /* Acquire: the chunk's start, and the previous holder's last writes. */
    if ((atomic_fetch_and_explicit(&chunk->free, ~bit, memory_order_acquire) & bit) == 0) continue;
    *ref = (mi_slot_ref_t){chunk, index};
    if (mi_units_take(*ref, mask, zero)) return true;
    atomic_fetch_or_explicit(&chunk->free, bit, memory_order_release);
  }
  return false;
}

static bool
take_slot_in_range(size_t from, size_t to, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  for (size_t i = from; i < to; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    if (take_slot_in(chunk, ref, mask, zero)) {
      atomic_store_explicit(&search_start, i,
                            memory_order_relaxed); /* a hint: any value is right */
      return true;
    }
  }
  return false;
}

/* Room for a chunk; *slots of it are there. */
static uint8_t* map_chunk(unsigned* slots) {
  *slots = MI_SLOTS_PER_CHUNK;
  uint8_t* start = NULL;
  if (!mi_rare(mi_rare_slot)) {
    start = mi_memory_map(MI_CHUNK_SIZE, MI_CHUNK_SIZE, MI_MAP_ADDRESSES);
  }
  if (start == NULL) {
    /* Address space is short: a single slot may still fit. */
    *slots = 1;
    start = mi_memory_map(MI_SEGMENT_SIZE, MI_SEGMENT_SIZE, MI_MAP_ADDRESSES);
  }
  return start;
}

/* From now on pointers into it are recognised. A single slot is not entered in the chunk map,
   which says that all of 32 MiB is ours. */
static bool make_findable(uint8_t* start, unsigned slots) {
  return slots == MI_SLOTS_PER_CHUNK ? mi_chunk_map_add(start)
                                     : mi_segment_table_add(start, (mi_segment_t*)start);
}

/* Adds a chunk and takes its first slot. */
static bool take_slot_in_new_chunk(mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  unsigned slots;
  uint8_t* start = map_chunk(&slots);
  if (start == NULL) return false;
  size_t index;
  if (!take_descriptor(&index)) {
    mi_memory_unmap(start, (size_t)slots << MI_SEGMENT_SHIFT);
    return false;
  }
  mi_chunk_t* chunk = mi_chunk_at(index);
  if (!make_findable(start, slots)) {
    mi_memory_unmap(start, (size_t)slots << MI_SEGMENT_SHIFT);
    atomic_store_explicit(&chunk->vacant, true, memory_order_release);
    return false;
  }
  chunk->start = start;
  chunk->number = index;
  chunk->slot_count = slots;
  for (unsigned i = 0; i < slots; i++) {
    atomic_store_explicit(&chunk->slots[i].clean_is_zero, true, memory_order_relaxed);
    atomic_store_explicit(&chunk->slots[i].clean, ~(uint64_t)0, memory_order_relaxed);
  }
  *ref = (mi_slot_ref_t){chunk, 0};
  bool taken = mi_units_take(*ref, mask, zero);
  /* Release publishes all of the above. */
  uint32_t all = (uint32_t)mi_bits64(0, slots);
  atomic_store_explicit(&chunk->free, taken ? all & ~1u : all, memory_order_release);
  atomic_store_explicit(&search_start, index, memory_order_relaxed);
  return taken;
}

bool mi_slot_take(mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  size_t count = mi_chunk_count();
  size_t from = atomic_load_explicit(&search_start, memory_order_relaxed);
  if (from > count) from = 0;
  if (take_slot_in_range(from, count, ref, mask, zero) ||
      take_slot_in_range(0, from, ref, mask, zero) || take_slot_in_new_chunk(ref, mask, zero)) {
    return true;
  }
  errno = ENOMEM;
  return false;
}

void mi_slot_release(mi_slot_ref_t ref) {
  uint32_t bit = 1u << ref.index;
  size_t number = ref.chunk->number; /* before the slot is another's, or unmapped */
  /* Release: who takes the slot sees all that was done in it. */
  uint32_t before = atomic_fetch_or_explicit(&ref.chunk->free, bit, memory_order_release);
  mi_assert((before & bit) == 0);
  (void)before;
  /* Low slots first: memory that is resident is used again, and the high end may drain. */
  if (number < atomic_load_explicit(&search_start, memory_order_relaxed)) {
    atomic_store_explicit(&search_start, number, memory_order_relaxed);
  }
}

/* ---- Giving chunks back ---- */

typedef struct units_s {
  uint64_t dirty;
  uint64_t clean;
} units_t;

/* Takes every unit of the chunk, whose slots the caller holds. False, with nothing taken, if one is
   being purged. */
static bool take_all_units(mi_chunk_t* chunk, units_t taken[MI_SLOTS_PER_CHUNK]) {
  bool whole = true;
  for (unsigned i = 0; i < chunk->slot_count; i++) {
    taken[i].dirty = atomic_exchange_explicit(&chunk->slots[i].dirty, 0, memory_order_acquire);
    taken[i].clean = atomic_exchange_explicit(&chunk->slots[i].clean, 0, memory_order_acquire);
    whole = whole && (taken[i].dirty | taken[i].clean) == ~(uint64_t)0;
  }
  for (unsigned i = 0; !whole && i < chunk->slot_count; i++) {
    atomic_fetch_or(&chunk->slots[i].dirty, taken[i].dirty);
    atomic_fetch_or_explicit(&chunk->slots[i].clean, taken[i].clean, memory_order_release);
  }
  return whole;
}

static void unmap_chunk(mi_chunk_t* chunk, const units_t taken[MI_SLOTS_PER_CHUNK]) {
  for (unsigned i = 0; i < chunk->slot_count; i++) {
    atomic_store(&chunk->slots[i].purge_at, 0);
    count_committed(taken[i].dirty, -1);
  }
  if (chunk->slot_count == MI_SLOTS_PER_CHUNK) {
    mi_chunk_map_remove(chunk->start);
  } else {
    mi_segment_table_remove(chunk->start);
  }
  mi_memory_unmap(chunk->start, (size_t)chunk->slot_count << MI_SEGMENT_SHIFT);
  chunk->start = NULL;
  chunk->slot_count = 0;
  atomic_store_explicit(&chunk->vacant, true, memory_order_release);
}

void mi_chunks_unmap_free(void) {
  const uint32_t every = (uint32_t)mi_bits64(0, MI_SLOTS_PER_CHUNK);
  size_t count = mi_chunk_count();
  for (size_t i = 0; i < count; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t slots = atomic_load_explicit(&chunk->free, memory_order_relaxed);
    if (slots != every && slots != 1) continue;
    /* Acquire: who holds a slot of the chunk sees its descriptor, which stays as it is. */
    if (!atomic_compare_exchange_strong_explicit(&chunk->free, &slots, 0, memory_order_acquire,
                                                 memory_order_relaxed)) {
      continue;
    }
    units_t taken[MI_SLOTS_PER_CHUNK];
    bool all = slots == (uint32_t)mi_bits64(0, chunk->slot_count);
    if (all && take_all_units(chunk, taken)) {
      unmap_chunk(chunk, taken);
    } else {
      atomic_fetch_or_explicit(&chunk->free, slots, memory_order_release);
    }
  }
}
