#include "segment/chunk.h"

#include "os/rare.h"
#include "segment/arena.h"
#include "segment/large_pages.h"
#include "segment/map.h"
#include "segment/memory.h"
#include "segment/slot.h"

/* Sets what all chunks have in common. The descriptor is all zero or was vacant, and no thread
   looks at it before publish_slots. slot_count comes last: a forked child gives back every slot
   below it. */
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
  /* Release: a thread that finds a free slot sees the chunk. */
  atomic_store_explicit(&chunk->free, slots, memory_order_release);
}

/* Makes pointers into the chunk recognised; or, if it is not whole, lets mi_slot_enter do that for
   each slot: the chunk map says of a whole 32 MiB that it is ours. False if there is no memory, or
   the address is beyond the map. */
static bool make_findable(uint8_t* start, unsigned slots) {
  return slots == MI_SLOTS_PER_CHUNK
             ? mi_chunk_map_add(start)
             : mi_segment_table_prepare(start, (size_t)slots << MI_SEGMENT_SHIFT);
}

/* Address space for chunks. */
typedef struct reservation_s {
  uint8_t* start; /* NULL: there is none */
  size_t size;
  bool resident;
  bool uncommitted;
} reservation_t;

static reservation_t reserve(size_t size, size_t align, mi_map_t kind) {
  return (reservation_t){
      .start = mi_memory_map_for_blocks(size, align, kind),
      .size = size,
      .resident = kind == MI_MAP_LARGE,
      .uncommitted = kind == MI_MAP_RESERVED,
  };
}

/* Reserves as much as the option arena_reserve says. If address space is short, reserves one chunk;
   if it is very short and `count` is 1, a single slot. */
static reservation_t reserve_chunks(unsigned count) {
  size_t size = mi_align_down(mi_option_get_size(mi_option_arena_reserve), MI_CHUNK_SIZE);
  if (size < MI_CHUNK_SIZE) size = MI_CHUNK_SIZE;
  bool large = mi_option_is_enabled(mi_option_allow_large_os_pages);
  mi_map_t kind = mi_memory_kind();
  reservation_t chunks = {.start = NULL};
  if (!mi_rare(mi_rare_slot)) {
    if (large) chunks = reserve(size, MI_CHUNK_SIZE, MI_MAP_LARGE);
    if (chunks.start == NULL) chunks = reserve(size, MI_CHUNK_SIZE, kind);
    if (chunks.start == NULL && size > MI_CHUNK_SIZE) {
      chunks = reserve(MI_CHUNK_SIZE, MI_CHUNK_SIZE, kind);
    }
  }
  if (chunks.start == NULL && count == 1) chunks = reserve(MI_SEGMENT_SIZE, MI_SEGMENT_SIZE, kind);
  if (chunks.start != NULL && !chunks.resident) {
    mi_memory_choose_pages(chunks.start, chunks.size, large);
  }
  return chunks;
}

/* Makes a chunk of the first slots of a reservation. NULL if there is no memory for its tables. */
static mi_chunk_t* add_chunk(const reservation_t* from, unsigned slots) {
  size_t index;
  if (!mi_chunk_descriptor_take(&index)) return NULL;
  mi_chunk_t* chunk = mi_chunk_at(index);
  if (!make_findable(from->start, slots)) {
    mi_chunk_descriptor_leave(chunk);
    return NULL;
  }
  /* A descriptor that was in use before has its number already, and other threads may be reading
     it. */
  if (chunk->number != index) chunk->number = index;
  chunk->resident = from->resident;
  chunk->uncommitted = from->uncommitted;
  init_chunk(chunk, from->start, slots, true);
  return chunk;
}

bool mi_slots_take_new(unsigned count, mi_slot_ref_t* first) {
  reservation_t left = reserve_chunks(count);
  if (left.start == NULL) return false;
  bool taken = false;
  while (left.size > 0) {
    size_t size = left.size < MI_CHUNK_SIZE ? left.size : MI_CHUNK_SIZE;
    unsigned slots = (unsigned)(size >> MI_SEGMENT_SHIFT);
    mi_chunk_t* chunk = add_chunk(&left, slots);
    if (chunk == NULL) {
      mi_memory_unmap(left.start, left.size);
      break;
    }
    uint32_t free = (uint32_t)mi_bits64(0, slots);
    if (!taken) {
      *first = (mi_slot_ref_t){chunk, 0};
      free &= ~(uint32_t)mi_bits64(0, count);
      taken = true;
    }
    publish_slots(chunk, free);
    left.start += size;
    left.size -= size;
  }
  return taken;
}

/* ---- The chunks of an arena ---- */

/* The number of slots from `slot` on up to the next multiple of 32 MiB, or the end of the arena. */
static unsigned slots_until_boundary(const mi_arena_t* arena, size_t slot) {
  uintptr_t p = (uintptr_t)arena->start + (slot << MI_SEGMENT_SHIFT);
  size_t in_chunk = MI_SLOTS_PER_CHUNK - ((p >> MI_SEGMENT_SHIFT) & (MI_SLOTS_PER_CHUNK - 1));
  size_t left = arena->slot_count - slot;
  return (unsigned)(left < in_chunk ? left : in_chunk);
}

bool mi_chunks_reserve(mi_arena_t* arena) {
  uint8_t* last = arena->start + (arena->slot_count << MI_SEGMENT_SHIFT) - 1;
  arena->chunk_count =
      ((uintptr_t)last >> MI_CHUNK_SHIFT) - ((uintptr_t)arena->start >> MI_CHUNK_SHIFT) + 1;
  return mi_chunk_descriptors_add(arena->chunk_count, &arena->first_chunk);
}

void mi_chunks_unreserve(const mi_arena_t* arena) {
  mi_chunk_descriptors_remove(arena->first_chunk, arena->chunk_count);
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
  /* So that the arena is used before memory from the system. */
  if (!arena->exclusive) mi_slot_search_from(arena->first_chunk);
}

/* ---- Giving chunks back ---- */

typedef struct units_s {
  uint64_t dirty;
  uint64_t clean;
} units_t;

/* Takes every unit of the chunk, all of whose slots the caller holds. False, with nothing taken, if
   a unit is being purged. */
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
    mi_units_count_committed(taken[i].dirty, -1);
  }
  uint8_t* start = chunk->start;
  size_t size = (size_t)chunk->slot_count << MI_SEGMENT_SHIFT;
  bool whole = mi_chunk_is_whole(chunk);
  /* First, for a fork at this time: the child looks into every slot below slot_count. */
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
    /* Acquire pairs with the release in mi_slot_release: a thread that holds a slot of the chunk
       sees its descriptor, which does not change meanwhile. */
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
