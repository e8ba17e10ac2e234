/* Resizing that keeps the rest of the block, behind its size, zero. */
#include "api/alloc.h"

static void*
recalloc(mi_heap_t* heap, void* p, size_t count, size_t size, size_t align, size_t offset) {
  size_t total;
  if (mi_unlikely(!mi_is_valid_alignment(align))) return NULL;
  return mi_count_bytes(count, size, &total) ? mi_realloc_from(heap, p, total, align, offset, true)
                                             : NULL;
}

void* mi_heap_rezalloc(mi_heap_t* heap, void* p, size_t newsize) mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, 1, 0, true);
}
void* mi_heap_rezalloc_aligned(mi_heap_t* heap, void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, alignment, 0, true);
}
void* mi_heap_rezalloc_aligned_at(mi_heap_t* heap, void* p, size_t newsize, size_t alignment,
                                  size_t offset) mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, alignment, offset, true);
}
void* mi_heap_recalloc(mi_heap_t* heap, void* p, size_t newcount, size_t size) mi_attr_noexcept {
  return recalloc(heap, p, newcount, size, 1, 0);
}
void* mi_heap_recalloc_aligned(mi_heap_t* heap, void* p, size_t newcount, size_t size,
                               size_t alignment) mi_attr_noexcept {
  return recalloc(heap, p, newcount, size, alignment, 0);
}
void* mi_heap_recalloc_aligned_at(mi_heap_t* heap, void* p, size_t newcount, size_t size,
                                  size_t alignment, size_t offset) mi_attr_noexcept {
  return recalloc(heap, p, newcount, size, alignment, offset);
}

void* mi_rezalloc(void* p, size_t newsize) mi_attr_noexcept {
  return mi_realloc_from(NULL, p, newsize, 1, 0, true);
}
void* mi_rezalloc_aligned(void* p, size_t newsize, size_t alignment) mi_attr_noexcept {
  return mi_realloc_from(NULL, p, newsize, alignment, 0, true);
}
void* mi_rezalloc_aligned_at(void* p, size_t newsize, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return mi_realloc_from(NULL, p, newsize, alignment, offset, true);
}
void* mi_recalloc(void* p, size_t newcount, size_t size) mi_attr_noexcept {
  return recalloc(NULL, p, newcount, size, 1, 0);
}
void* mi_recalloc_aligned(void* p, size_t newcount, size_t size, size_t alignment)
    mi_attr_noexcept {
  return recalloc(NULL, p, newcount, size, alignment, 0);
}
void* mi_recalloc_aligned_at(void* p, size_t newcount, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return recalloc(NULL, p, newcount, size, alignment, offset);
}
