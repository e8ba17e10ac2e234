#include "segment/chunk.h"

#include "options/report.h"
#include "os/rare.h"
#include "segment/arena.h"
#include "segment/large_pages.h"
#include "segment/map.h"
#include "segment/memory.h"
#include "segment/pace.h"
#include "segment/purge.h"
#include "stats/stats.h"

/* ---- Units ---- */

static uint8_t* unit_start(mi_slot_ref_t ref, unsigned unit) {
  return mi_slot_start(ref) + ((size_t)unit << MI_UNIT_SHIFT);
}

/* Units that were purged stay writable. With eager_commit, one call does it for the slot. */
static bool make_writable(mi_slot_ref_t ref, uint64_t mask) {
  mi_slot_t* slot = mi_slot_state(ref);
  mask &= ~slot->writable;
  if (mask == 0) return true;
  if (mi_option_is_enabled(mi_option_eager_commit) &&
      mi_os_protect(mi_slot_start(ref), MI_SEGMENT_SIZE, MI_ACCESS_WRITE)) {
    slot->writable = ~(uint64_t)0;
    return true;
  }
  for (uint64_t left = mask; left != 0;) {
    mi_run_t run = mi_first_run(left);
    left &= ~mi_bits64(run.first, run.count);
    size_t size = (size_t)run.count << MI_UNIT_SHIFT;
    if (!mi_os_protect(unit_start(ref, run.first), size, MI_ACCESS_WRITE)) return false;
  }
  slot->writable |= mask;
  return true;
}

static bool commit_units(mi_slot_ref_t ref, uint64_t mask) {
  if (ref.chunk->uncommitted) return make_writable(ref, mask);
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
  /* Of the two masks, what is in `old` is in `aged`, but in the middle of a look. */
  if ((atomic_load_explicit(&slot->aged, memory_order_relaxed) & mask) != 0) {
    atomic_fetch_and_explicit(&slot->aged, ~mask, memory_order_relaxed);
    atomic_fetch_and_explicit(&slot->old, ~mask, memory_order_relaxed);
  }
  mi_race_window();
  if (was_dirty != mask) {
    was_clean = atomic_fetch_and_explicit(&slot->clean, ~mask, memory_order_acquire) & mask;
  }
  if (was_clean != 0) {
    count_committed(was_clean, 1);
    mi_stat_count(commit_calls, 1);
  }
  if ((was_dirty | was_clean) != mask || !commit_units(ref, was_clean)) {
    mi_units_release(ref, was_dirty, was_clean);
    return false;
  }
  if (was_clean != 0) {
    mi_large_pages_taken(ref, was_clean);
    /* A large page costs next to nothing. */
    uint64_t by_faults = was_clean & ~mi_large_pages_among(ref, was_clean);
    mi_pace_taken(mi_popcount64(by_faults) * MI_UNIT_SIZE);
  }
  *zero = was_dirty == 0 && atomic_load_explicit(&slot->clean_is_zero, memory_order_relaxed);
  return true;
}

void mi_units_release(mi_slot_ref_t ref, uint64_t dirty, uint64_t clean) {
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t resident = mi_large_pages_resident(ref, clean);
  dirty |= resident;
  clean &= ~resident;
  if (clean != 0) {
    count_committed(clean, -1);
    atomic_fetch_or_explicit(&slot->clean, clean, memory_order_release);
  }
  if (dirty == 0) return;
  atomic_fetch_or(&slot->dirty, dirty); /* before the look at purge_at: see purge_slot */
  mi_purge_schedule(ref, mi_popcount64(dirty));
}

/* ---- Slots ---- */

/* No chunk below this one had a free slot when last looked at: where a search begins. */
static _Atomic(size_t) search_start;

size_t mi_slot_search_start(void) {
  size_t from = atomic_load_explicit(&search_start, memory_order_relaxed);
  return from > mi_chunk_count() ? 0 : from;
}

static bool is_whole(const mi_chunk_t* chunk) { return chunk->slot_count == MI_SLOTS_PER_CHUNK; }

static void free_slot(mi_slot_ref_t ref) {
  uint32_t bit = 1u << ref.index;
  /* Release: who takes the slot sees all that was done in it. */
  uint32_t before = atomic_fetch_or_explicit(&ref.chunk->free, bit, memory_order_release);
  mi_assert((before & bit) == 0);
  (void)before;
}

bool mi_slot_take_this(mi_slot_ref_t ref, uint64_t mask, bool* zero, bool* busy) {
  uint32_t bit = 1u << ref.index;
  /* Acquire: the chunk's start, and the previous holder's last writes. */
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

/* Of a chunk that has free slots now, or false. */
static bool take_slot_for_all(mi_chunk_t* chunk, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  bool busy;
  /* Acquire: a chunk with free slots has its final `arena`. */
  if (atomic_load_explicit(&chunk->free, memory_order_acquire) == 0) return false;
  const mi_arena_t* arena = mi_arena_of(chunk);
  if (arena != NULL && (arena->exclusive || mi_option_is_enabled(mi_option_disallow_arena_alloc))) {
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
  /* There has been room in the table since the chunk was made. */
  mi_segment_table_add(starts ? slot : NULL, (mi_segment_t*)slot, MI_SEGMENT_SIZE);
}

/* ---- Chunks ---- */

/* The rest of it. The caller has a descriptor that is all zero, or vacant, and nobody looks at it
   until publish_slots; but a forked child gives back every slot that it counts. */
static void init_chunk(mi_chunk_t* chunk, uint8_t* start, unsigned slots, bool zero) {
  chunk->start = start;
  atomic_store_explicit(&chunk->has_large, false, memory_order_relaxed);
  for (unsigned i = 0; i < slots; i++) {
    chunk->slots[i].writable = 0;
    atomic_store_explicit(&chunk->slots[i].clean_is_zero, zero, memory_order_relaxed);
    atomic_store_explicit(&chunk->slots[i].clean, ~(uint64_t)0, memory_order_relaxed);
  }
  atomic_signal_fence(memory_order_release);
  chunk->slot_count = slots;
}

static void publish_slots(mi_chunk_t* chunk, uint32_t slots) {
  /* Release publishes the chunk. */
  atomic_store_explicit(&chunk->free, slots, memory_order_release);
}

/* From now on pointers into it are recognised, or can be by mi_slot_enter: a chunk that is not whole
   is not entered in the chunk map, which says that all of 32 MiB is ours. */
static bool make_findable(uint8_t* start, unsigned slots) {
  return slots == MI_SLOTS_PER_CHUNK
             ? mi_chunk_map_add(start)
             : mi_segment_table_prepare(start, (size_t)slots << MI_SEGMENT_SHIFT);
}

/* Memory for chunks. */
typedef struct room_s {
  uint8_t* start; /* NULL: there is none */
  size_t slots;
  bool resident;
  bool uncommitted;
} room_t;

static bool add_chunk(room_t room, unsigned slots, mi_chunk_t** chunk) {
  size_t index;
  if (!mi_chunk_descriptor_take(&index)) return false;
  *chunk = mi_chunk_at(index);
  if (!make_findable(room.start, slots)) {
    mi_chunk_descriptor_leave(*chunk);
    return false;
  }
  if ((*chunk)->number != index)
    (*chunk)->number = index; /* or it has it, and others may read it */
  (*chunk)->resident = room.resident;
  (*chunk)->uncommitted = room.uncommitted;
  init_chunk(*chunk, room.start, slots, true);
  return true;
}

/* One shall have `count` slots. */
static room_t map_chunks(unsigned count) {
  /* arena_reserve says how much to reserve at once. */
  size_t size = mi_align_down(mi_option_get_size(mi_option_arena_reserve), MI_CHUNK_SIZE);
  bool large = mi_option_is_enabled(mi_option_allow_large_os_pages);
  mi_map_t kind = mi_memory_kind();
  room_t room = {.resident = large};
  if (size < MI_CHUNK_SIZE) size = MI_CHUNK_SIZE;
  bool slot_only = mi_rare(mi_rare_slot);
  if (large && !slot_only) room.start = mi_memory_map_for_blocks(size, MI_CHUNK_SIZE, MI_MAP_LARGE);
  if (room.start == NULL) {
    room.resident = false;
    room.uncommitted = kind == MI_MAP_RESERVED;
    if (!slot_only) room.start = mi_memory_map_for_blocks(size, MI_CHUNK_SIZE, kind);
    if (room.start == NULL && size > MI_CHUNK_SIZE && !slot_only) {
      size = MI_CHUNK_SIZE;
      room.start = mi_memory_map_for_blocks(size, MI_CHUNK_SIZE, kind);
    }
    if (room.start == NULL && count == 1) {
      /* Address space is short: a single slot may still fit. */
      size = MI_SEGMENT_SIZE;
      room.start = mi_memory_map_for_blocks(size, size, kind);
    }
    if (room.start != NULL && large) mi_os_prefer_large_pages(room.start, size);
  }
  room.slots = size >> MI_SEGMENT_SHIFT;
  return room;
}

bool mi_slots_take_new(unsigned count, mi_slot_ref_t* ref) {
  room_t room = map_chunks(count);
  if (room.start == NULL) return false;
  bool taken = false;
  while (room.slots > 0) {
    unsigned slots = room.slots < MI_SLOTS_PER_CHUNK ? (unsigned)room.slots : MI_SLOTS_PER_CHUNK;
    uint32_t all = (uint32_t)mi_bits64(0, slots);
    mi_chunk_t* chunk;
    if (!add_chunk(room, slots, &chunk)) {
      mi_memory_unmap(room.start, room.slots << MI_SEGMENT_SHIFT);
      break;
    }
    if (!taken) {
      *ref = (mi_slot_ref_t){chunk, 0};
      all &= ~(uint32_t)mi_bits64(0, count);
      taken = true;
    }
    publish_slots(chunk, all);
    room.start += (size_t)slots << MI_SEGMENT_SHIFT;
    room.slots -= slots;
  }
  return taken;
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
  size_t number = chunk->number; /* before the slot is another's, or unmapped */
  if (!is_whole(chunk)) mi_segment_table_remove(mi_slot_start(ref), MI_SEGMENT_SIZE);
  bool for_all = mi_arena_admits(chunk, NULL);
  free_slot(ref);
  /* Low slots first: memory that is resident is used again, and the high end may drain. */
  if (for_all && number < atomic_load_explicit(&search_start, memory_order_relaxed)) {
    atomic_store_explicit(&search_start, number, memory_order_relaxed);
  }
}

/* ---- The chunks of an arena ---- */

/* Slots from `slot` on until the next multiple of 32 MiB, or the end of the arena. */
static unsigned slots_until_boundary(const mi_arena_t* arena, size_t slot) {
  uintptr_t p = (uintptr_t)arena->start + (slot << MI_SEGMENT_SHIFT);
  size_t room = MI_SLOTS_PER_CHUNK - ((p >> MI_SEGMENT_SHIFT) & (MI_SLOTS_PER_CHUNK - 1));
  size_t left = arena->slot_count - slot;
  return (unsigned)(left < room ? left : room);
}

bool mi_chunks_reserve(mi_arena_t* arena) {
  uint8_t* last = arena->start + (arena->slot_count << MI_SEGMENT_SHIFT) - 1;
  /* Beyond the chunk map. */
  if ((uintptr_t)last >> MI_ADDRESS_BITS != 0) return false;
  arena->chunk_count =
      ((uintptr_t)last >> MI_CHUNK_SHIFT) - ((uintptr_t)arena->start >> MI_CHUNK_SHIFT) + 1;
  return mi_chunk_descriptors_add(arena->chunk_count, &arena->first_chunk);
}

void mi_chunks_publish(mi_arena_t* arena) {
  size_t slot = 0;
  for (size_t i = 0; i < arena->chunk_count; i++) {
    unsigned slots = slots_until_boundary(arena, slot);
    mi_chunk_t* chunk = mi_chunk_at(arena->first_chunk + i);
    chunk->number = arena->first_chunk + i;
    chunk->resident = arena->resident;
    chunk->uncommitted = arena->uncommitted;
    chunk->foreign = arena->foreign;
    atomic_store_explicit(&chunk->arena, arena, memory_order_release);
    uint8_t* start = arena->start + (slot << MI_SEGMENT_SHIFT);
    make_findable(start, slots); /* cannot fail: mi_arena_add has prepared the table */
    init_chunk(chunk, start, slots, arena->zero);
    publish_slots(chunk, (uint32_t)mi_bits64(0, slots));
    slot += slots;
  }
  /* So that they are used before what the system gave. */
  if (!arena->exclusive &&
      arena->first_chunk < atomic_load_explicit(&search_start, memory_order_relaxed)) {
    atomic_store_explicit(&search_start, arena->first_chunk, memory_order_relaxed);
  }
}

void mi_units_restore(mi_slot_ref_t ref, uint64_t used) {
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t lost = ~(atomic_load(&slot->dirty) | atomic_load(&slot->clean) | used);
  uint64_t untouched = ref.chunk->uncommitted ? lost & ~slot->writable : 0;
  mi_units_release(ref, lost & ~untouched, untouched);
}

void mi_free_slots_restore(void) {
  size_t count = mi_chunk_count();
  for (size_t i = 0; i < count; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t free = atomic_load(&chunk->free);
    for (; free != 0; free &= free - 1) {
      mi_units_restore((mi_slot_ref_t){chunk, mi_ctz64(free)}, 0);
    }
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
    mi_large_pages_forget((mi_slot_ref_t){chunk, i});
    count_committed(taken[i].dirty, -1);
  }
  uint8_t* start = chunk->start;
  size_t size = (size_t)chunk->slot_count << MI_SEGMENT_SHIFT;
  bool whole = is_whole(chunk);
  /* First: who forks meanwhile has a child that looks into every slot. */
  chunk->slot_count = 0;
  atomic_signal_fence(memory_order_release);
  if (whole) mi_chunk_map_remove(start);
  chunk->start = NULL;
  mi_memory_unmap(start, size);
  mi_chunk_descriptor_leave(chunk);
}

void mi_chunks_unmap_free(void) {
  const uint32_t every = (uint32_t)mi_bits64(0, MI_SLOTS_PER_CHUNK);
  size_t count = mi_chunk_count();
  for (size_t i = 0; i < count; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t slots = atomic_load_explicit(&chunk->free, memory_order_acquire);
    if ((slots != every && slots != 1) || mi_arena_of(chunk) != NULL) continue;
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
