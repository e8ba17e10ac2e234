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

static void set_depth(mi_magazine_t* magazine, mi_magazine_stack_t* stack, size_t depth) {
  int64_t more = (int64_t)depth - (int64_t)mi_magazine_depth(stack);
  magazine->extra += more * (int64_t)stack->block_size;
  atomic_store_explicit(&stack->depth, (uint8_t)depth, memory_order_relaxed);
}

void mi_magazine_start_anew(mi_magazine_t* magazine) {
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    mi_magazine_stack_t* stack = &magazine->stacks[i];
    set_depth(magazine, stack, LEAST);
    stack->overflows = 0;
    mi_magazine_tell_beyond(stack, 0);
  }
  magazine->extra = 0;
  magazine->least_pages = 0;
}

void mi_magazine_deepen(mi_heap_t* heap, mi_magazine_stack_t* stack) {
  mi_magazine_t* magazine = heap->magazine;
  size_t missed = stack->overflows;
  stack->overflows = 0;
  size_t depth = mi_magazine_depth(stack);
  size_t wanted = 2 * depth < MI_MAGAZINE_DEPTH ? 2 * depth : MI_MAGAZINE_DEPTH;
  if (depth < LEAST) {
    set_depth(magazine, stack, LEAST);
    depth = LEAST;
    wanted = LEAST + missed;
  }
  if (wanted == depth || wanted > MI_MAGAZINE_DEPTH) return;
  int64_t more = (int64_t)(wanted - depth) * (int64_t)stack->block_size;
  int64_t most = (int64_t)(heap->page_count * (MI_UNIT_SIZE / SHARE));
  if (magazine->extra + more > most) return;
  set_depth(magazine, stack, wanted);
  magazine->least_pages = heap->page_count / 2;
}

void mi_magazine_close(mi_magazine_t* magazine, mi_magazine_stack_t* stack) {
  size_t in_use = mi_magazine_in_use(stack);
  size_t held = 0;
  for (size_t i = 0; i < in_use; i++) {
    held += atomic_load_explicit(&stack->slots[i], memory_order_relaxed) != 0;
  }
  set_depth(magazine, stack, held);
}

static void shrink_stack(mi_magazine_t* magazine, mi_magazine_stack_t* stack) {
  stack->overflows = 0;
  if (mi_magazine_depth(stack) <= LEAST) return;
  while (mi_magazine_in_use(stack) > LEAST) mi_magazine_return_one(magazine, stack);
  set_depth(magazine, stack, LEAST);
}

void mi_magazine_overflow(mi_magazine_t* magazine, mi_magazine_stack_t* stack) {
  if (++stack->overflows >= MANY) shrink_stack(magazine, stack);
}

void mi_magazine_shrink(mi_magazine_t* magazine) {
  magazine->least_pages = 0;
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) shrink_stack(magazine, &magazine->stacks[i]);
}
