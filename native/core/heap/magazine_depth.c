#include "heap/magazine_depth.h"

#include "heap/magazine.h"

enum {
  LEAST = 8,
  /* A class may hold this part of the memory of its heap, which is taken to have one unit for each
     page. */
  SHARE = 32,
  /* When so many blocks found no room while malloc wanted none, the program only frees: what was in
     use at a peak. */
  MANY = 3 * MI_MAGAZINE_DEPTH
};
_Static_assert(MANY <= UINT8_MAX, "overflows are counted in a byte");

static void set_depth(mi_magazine_t* magazine, unsigned size_class, size_t depth) {
  atomic_store_explicit(&magazine->depth[size_class], (uint8_t)depth, memory_order_relaxed);
  magazine->overflows[size_class] = 0;
}

void mi_magazine_reset_depths(mi_magazine_t* magazine) {
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    set_depth(magazine, size_class, LEAST);
  }
}

void mi_magazine_deepen(mi_heap_t* heap, unsigned size_class) {
  size_t depth = mi_magazine_depth(heap->magazine, size_class);
  size_t size = mi_bin_block_size(mi_magazine_bin(size_class));
  size_t most = heap->page_count * (MI_UNIT_SIZE / SHARE);
  bool may = 2 * depth <= MI_MAGAZINE_DEPTH && 2 * depth * size <= most;
  set_depth(heap->magazine, size_class, may ? 2 * depth : depth);
}

void mi_magazine_overflow(mi_magazine_t* magazine, unsigned size_class) {
  if (++magazine->overflows[size_class] < MANY) return;
  while (magazine->count[size_class] > LEAST) mi_magazine_return_one(magazine, size_class);
  set_depth(magazine, size_class, LEAST);
}
