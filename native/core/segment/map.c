#include "segment/map.h"

#include "segment/memory.h"

_Atomic(uint8_t) mi_chunk_map[MI_CHUNK_MAP_SIZE];

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

/* A table of two levels. Leaves are made when first needed and never freed. */
#define LEAF_SHIFT 12
#define LEAF_COUNT ((size_t)1 << LEAF_SHIFT)
#define ROOT_COUNT ((size_t)1 << (MI_ADDRESS_BITS - MI_SEGMENT_SHIFT - LEAF_SHIFT))

typedef struct leaf_s {
  _Atomic(mi_segment_t*) segments[LEAF_COUNT];
} leaf_t;

static _Atomic(leaf_t*) root[ROOT_COUNT];

static leaf_t* leaf_of(const void* p) {
  size_t index = (uintptr_t)p >> (MI_SEGMENT_SHIFT + LEAF_SHIFT);
  /* Acquire: a leaf is seen with its zeroes. */
  return index < ROOT_COUNT ? atomic_load_explicit(&root[index], memory_order_acquire) : NULL;
}

static _Atomic(mi_segment_t*)* entry_of(leaf_t* leaf, const void* p) {
  return &leaf->segments[((uintptr_t)p >> MI_SEGMENT_SHIFT) & (LEAF_COUNT - 1)];
}

static leaf_t* make_leaf(const void* p) {
  size_t index = (uintptr_t)p >> (MI_SEGMENT_SHIFT + LEAF_SHIFT);
  if (index >= ROOT_COUNT) return NULL;
  leaf_t* made = mi_memory_map(sizeof(leaf_t), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (made == NULL) return NULL;
  leaf_t* present = NULL;
  if (atomic_compare_exchange_strong_explicit(&root[index], &present, made, memory_order_acq_rel,
                                              memory_order_acquire)) {
    return made;
  }
  mi_memory_unmap(made, sizeof(leaf_t));
  return present;
}

bool mi_segment_table_add(const void* p, mi_segment_t* segment) {
  leaf_t* leaf = leaf_of(p);
  if (leaf == NULL) leaf = make_leaf(p);
  if (leaf == NULL) return false;
  /* Release: who finds the segment sees its header. */
  atomic_store_explicit(entry_of(leaf, p), segment, memory_order_release);
  return true;
}

void mi_segment_table_remove(const void* p) {
  atomic_store_explicit(entry_of(leaf_of(p), p), NULL, memory_order_release);
}

mi_segment_t* mi_segment_table_find(const void* p) {
  leaf_t* leaf = leaf_of(p);
  return leaf == NULL ? NULL : atomic_load_explicit(entry_of(leaf, p), memory_order_acquire);
}

void mi_segment_table_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg) {
  for (size_t i = 0; i < ROOT_COUNT; i++) {
    leaf_t* leaf = atomic_load_explicit(&root[i], memory_order_acquire);
    if (leaf == NULL) continue;
    for (size_t j = 0; j < LEAF_COUNT; j++) {
      mi_segment_t* segment = atomic_load_explicit(&leaf->segments[j], memory_order_acquire);
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
