#include "heap/magazine_depth.h"

#include "heap/magazine.h"

enum {
  LEAST = 8,
  /* A magazine may hold this part of the memory of its heap, which is taken to have one unit for
     each page, beyond what there is room for with the least depths. */
  SHARE = 2,
  /* When so many blocks found no room, and malloc never found the class empty meanwhile, the
     program frees what was in use at a peak. */
  MANY = 3 * MI_MAGAZINE_DEPTH
};
_Static_assert(MANY <= UINT8_MAX, "overflows are counted in a byte");

static void set_depth(mi_magazine_t* magazine, unsigned size_class, size_t depth) {
  size_t size = mi_magazine_block_size(size_class);
  magazine->extra += depth * size;
  magazine->extra -= mi_magazine_depth(magazine, size_class) * size;
  atomic_store_explicit(&magazine->depth[size_class], (uint8_t)depth, memory_order_relaxed);
  magazine->overflows[size_class] = 0;
}

void mi_magazine_start_anew(mi_magazine_t* magazine) {
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    set_depth(magazine, size_class, LEAST);
    atomic_store_explicit(&magazine->told[size_class], 0, memory_order_relaxed);
  }
  magazine->extra = 0;
  magazine->fits = 0;
}

void mi_magazine_deepen(mi_heap_t* heap, unsigned size_class) {
  mi_magazine_t* magazine = heap->magazine;
  size_t depth = mi_magazine_depth(magazine, size_class);
  size_t more = depth * mi_magazine_block_size(size_class);
  size_t most = heap->page_count * (MI_UNIT_SIZE / SHARE);
  if (2 * depth > MI_MAGAZINE_DEPTH || magazine->extra + more > most) {
    magazine->overflows[size_class] = 0;
    return;
  }
  set_depth(magazine, size_class, 2 * depth);
  magazine->fits = heap->page_count / 2;
}

static void shrink_class(mi_magazine_t* magazine, unsigned size_class) {
  while (mi_magazine_in_use(magazine, size_class) > LEAST)
    mi_magazine_return_one(magazine, size_class);
  set_depth(magazine, size_class, LEAST);
}

void mi_magazine_overflow(mi_magazine_t* magazine, unsigned size_class) {
  if (++magazine->overflows[size_class] >= MANY) shrink_class(magazine, size_class);
}

void mi_magazine_shrink(mi_magazine_t* magazine) {
  magazine->fits = 0;
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    shrink_class(magazine, size_class);
  }
}
