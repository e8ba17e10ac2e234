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

static void set_depth(mi_magazine_t* magazine, unsigned size_class, unsigned depth) {
  int64_t more = (int64_t)depth - (int64_t)mi_magazine_depth(magazine, size_class);
  magazine->extra += more * (int64_t)mi_magazine_block_size(size_class);
  atomic_store_explicit(&magazine->depth[size_class], (uint8_t)depth, memory_order_relaxed);
}

void mi_magazine_start_anew(mi_magazine_t* magazine) {
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    set_depth(magazine, size_class, LEAST);
    magazine->overflows[size_class] = 0;
    mi_magazine_tell_beyond(magazine, size_class, 0);
  }
  magazine->extra = 0;
  magazine->fits = 0;
}

void mi_magazine_deepen(mi_heap_t* heap, unsigned size_class) {
  mi_magazine_t* magazine = heap->magazine;
  unsigned missed = magazine->overflows[size_class];
  magazine->overflows[size_class] = 0;
  unsigned depth = mi_magazine_depth(magazine, size_class);
  unsigned wanted = 2 * depth < MI_MAGAZINE_DEPTH ? 2 * depth : MI_MAGAZINE_DEPTH;
  if (depth < LEAST) {
    set_depth(magazine, size_class, LEAST);
    depth = LEAST;
    wanted = LEAST + missed;
  }
  if (wanted == depth || wanted > MI_MAGAZINE_DEPTH) return;
  int64_t more = (int64_t)((wanted - depth) * mi_magazine_block_size(size_class));
  int64_t most = (int64_t)(heap->page_count * (MI_UNIT_SIZE / SHARE));
  if (magazine->extra + more > most) return;
  set_depth(magazine, size_class, wanted);
  magazine->fits = heap->page_count / 2;
}

void mi_magazine_close(mi_magazine_t* magazine, unsigned size_class) {
  const _Atomic(uintptr_t)* slots = magazine->slots[size_class];
  unsigned in_use = mi_magazine_in_use(magazine, size_class);
  unsigned held = 0;
  for (unsigned i = 0; i < in_use; i++) {
    held += atomic_load_explicit(&slots[i], memory_order_relaxed) != 0;
  }
  set_depth(magazine, size_class, held);
}

static void shrink_class(mi_magazine_t* magazine, unsigned size_class) {
  magazine->overflows[size_class] = 0;
  if (mi_magazine_depth(magazine, size_class) <= LEAST) return;
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
