#include "segment/map.h"

#include "segment/memory.h"

_Alignas(MI_OS_LEAST_PAGE) _Atomic(uint8_t) mi_chunk_map[MI_CHUNK_MAP_SIZE];

void mi_chunk_map_prepare(void) {
  mi_os_avoid_large_pages((void*)mi_chunk_map, sizeof(mi_chunk_map));
}

bool mi_chunk_map_add(const void* p) {
  size_t index = (uintptr_t)p >> MI_CHUNK_SHIFT;
  if (index >= MI_CHUNK_MAP_SIZE) return false;
  atomic_store_explicit(&mi_chunk_map[index], 1, memory_order_release);
  return true;
}

void mi_chunk_map_remove(const void* p) {
  size_t index = (uintptr_t)p >> MI_CHUNK_SHIFT;
  atomic_store_explicit(&mi_chunk_map[index], 0, memory_order_release);
}

/* A table of two levels. Leaves are made when first needed and stay until mi_segment_table_unmap.

   An entry is the address of a segment, which has 22 low bits to spare: STARTS, if the segment's
   block starts in these 4 MiB; PAGES, how many system pages of the smallest size are ours in them;
   PINNED; and SLOT, for a slot outside of the chunk map, whose segments come and go. */
#define LEAF_SHIFT 12
#define LEAF_COUNT ((size_t)1 << LEAF_SHIFT)
#define ROOT_COUNT ((size_t)1 << (MI_ADDRESS_BITS - MI_SEGMENT_SHIFT - LEAF_SHIFT))
#define STARTS ((uintptr_t)1)
#define PAGES ((uintptr_t)0xFFE)
#define PINNED ((uintptr_t)1 << 20)
#define SLOT ((uintptr_t)1 << 21)
_Static_assert(MI_SEGMENT_SIZE / MI_OS_LEAST_PAGE << 1 <= PAGES, "the count fits");

typedef struct leaf_s {
  _Atomic(uintptr_t) entries[LEAF_COUNT];
} leaf_t;

static _Atomic(leaf_t*) root[ROOT_COUNT];

static leaf_t* leaf_of(const void* p) {
  size_t index = (uintptr_t)p >> (MI_SEGMENT_SHIFT + LEAF_SHIFT);
  /* Acquire pairs with the release in make_leaf: the leaf reads as zero. */
  return index < ROOT_COUNT ? atomic_load_explicit(&root[index], memory_order_acquire) : NULL;
}

static _Atomic(uintptr_t)* entry_of(leaf_t* leaf, const void* p) {
  return &leaf->entries[((uintptr_t)p >> MI_SEGMENT_SHIFT) & (LEAF_COUNT - 1)];
}

static uintptr_t entry_at(const void* p) {
  leaf_t* leaf = leaf_of(p);
  return leaf == NULL ? 0 : atomic_load_explicit(entry_of(leaf, p), memory_order_acquire);
}

/* Makes the leaf for p. False if there is no memory for it, or p is beyond the table. */
static bool make_leaf(const void* p) {
  size_t index = (uintptr_t)p >> (MI_SEGMENT_SHIFT + LEAF_SHIFT);
  if (index >= ROOT_COUNT) return false;
  leaf_t* made = mi_memory_map(sizeof(leaf_t), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (made == NULL) return false;
  leaf_t* present = NULL;
  if (!atomic_compare_exchange_strong_explicit(&root[index], &present, made, memory_order_acq_rel,
                                               memory_order_acquire)) {
    mi_memory_unmap(made, sizeof(leaf_t));
  }
  return true;
}

bool mi_segment_table_prepare(const void* start, size_t size) {
  for (size_t offset = 0; offset < size; offset += MI_SEGMENT_SIZE) {
    const uint8_t* p = (const uint8_t*)start + offset;
    if (leaf_of(p) == NULL && !make_leaf(p)) return false;
  }
  return true;
}

bool mi_segment_table_add(const void* p, mi_segment_t* segment, size_t size) {
  if (!mi_segment_table_prepare(segment, size)) return false;
  for (size_t offset = 0; offset < size; offset += MI_SEGMENT_SIZE) {
    const uint8_t* at = (const uint8_t*)segment + offset;
    size_t ours = size - offset < MI_SEGMENT_SIZE ? size - offset : MI_SEGMENT_SIZE;
    uintptr_t entry = (uintptr_t)segment | ours / MI_OS_LEAST_PAGE << 1;
    if ((uintptr_t)p >> MI_SEGMENT_SHIFT == (uintptr_t)at >> MI_SEGMENT_SHIFT) entry |= STARTS;
    if (p == segment) entry |= SLOT;
    /* Release: a thread that finds or pins the segment, with acquire, sees its header. */
    atomic_store_explicit(entry_of(leaf_of(at), at), entry, memory_order_release);
  }
  return true;
}

bool mi_segment_table_remove(const void* start, size_t size) {
  uintptr_t all = 0;
  for (size_t offset = 0; offset < size; offset += MI_SEGMENT_SIZE) {
    const uint8_t* at = (const uint8_t*)start + offset;
    /* Release: the next thread that has this memory sees our last writes. Acquire: the thread that
       unpinned the segment reads it no more. */
    all |= atomic_exchange_explicit(entry_of(leaf_of(at), at), 0, memory_order_acq_rel);
  }
  return (all & PINNED) == 0;
}

bool mi_segment_table_try_remove(const void* p) {
  _Atomic(uintptr_t)* place = entry_of(leaf_of(p), p);
  uintptr_t entry = atomic_load_explicit(place, memory_order_relaxed);
  return (entry & PINNED) == 0 && atomic_compare_exchange_strong_explicit(
                                      place, &entry, 0, memory_order_acq_rel, memory_order_relaxed);
}

mi_segment_t* mi_segment_table_pin(size_t* place) {
  while (*place < ROOT_COUNT * LEAF_COUNT) {
    leaf_t* leaf = atomic_load_explicit(&root[*place / LEAF_COUNT], memory_order_acquire);
    if (leaf == NULL) {
      *place = mi_align_down(*place, LEAF_COUNT) + LEAF_COUNT;
      continue;
    }
    _Atomic(uintptr_t)* found = &leaf->entries[(*place)++ % LEAF_COUNT];
    uintptr_t entry = atomic_load_explicit(found, memory_order_relaxed);
    /* Acquire pairs with the release in mi_segment_table_add. */
    if ((entry & (STARTS | SLOT)) == STARTS &&
        atomic_compare_exchange_strong_explicit(found, &entry, entry | PINNED, memory_order_acquire,
                                                memory_order_relaxed)) {
      return (mi_segment_t*)(entry & ~(uintptr_t)MI_SEGMENT_MASK);
    }
  }
  return NULL;
}

bool mi_segment_table_unpin(size_t place) {
  size_t last = place - 1;
  leaf_t* leaf = atomic_load_explicit(&root[last / LEAF_COUNT], memory_order_acquire);
  /* Acquire and release as in mi_segment_table_remove. Until the pin is gone, no thread puts
     another segment here: the address is still taken. */
  uintptr_t entry =
      atomic_fetch_and_explicit(&leaf->entries[last % LEAF_COUNT], ~PINNED, memory_order_acq_rel);
  return entry != 0;
}

static mi_segment_t* segment_in(uintptr_t entry) {
  return (mi_segment_t*)((entry & STARTS) == 0 ? 0 : entry & ~(uintptr_t)MI_SEGMENT_MASK);
}

mi_segment_t* mi_segment_table_find(const void* p) { return segment_in(entry_at(p)); }

bool mi_segment_table_covers(const void* p) {
  size_t ours = (entry_at(p) & PAGES) >> 1;
  return ((uintptr_t)p & MI_SEGMENT_MASK) < ours * MI_OS_LEAST_PAGE;
}

void mi_segment_table_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg) {
  for (size_t i = 0; i < ROOT_COUNT; i++) {
    leaf_t* leaf = atomic_load_explicit(&root[i], memory_order_acquire);
    if (leaf == NULL) continue;
    for (size_t j = 0; j < LEAF_COUNT; j++) {
      uintptr_t entry = atomic_load_explicit(&leaf->entries[j], memory_order_acquire);
      mi_segment_t* segment = segment_in(entry);
      if (segment != NULL) fn(segment, arg);
    }
  }
}

void mi_segment_table_unmap(void) {
  for (size_t i = 0; i < ROOT_COUNT; i++) {
    leaf_t* leaf = atomic_exchange_explicit(&root[i], NULL, memory_order_acquire);
    if (leaf != NULL) mi_memory_unmap(leaf, sizeof(leaf_t));
  }
}
