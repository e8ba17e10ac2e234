/* Aligned allocation. A block of a size class is aligned to the largest power of two that divides
   its size. The steps between classes are powers of two, so a size that is a multiple of `align`
   gets a class that is one too. Rounding the size up is therefore enough, up to
   MI_LARGE_BLOCK_MAX. */
#include <errno.h>

#include "api/alloc.h"
#include "heap/request.h"
#include "heap/thread.h"

/* The first address p from `start` on such that p + offset is a multiple of `align`. */
static uint8_t* align_in(uint8_t* start, size_t align, size_t offset) {
  return (uint8_t*)(mi_align_up((uintptr_t)start + offset, align) - offset);
}

/* Returns the first such address in the block, and flags the page if it is not the block's own. */
static void* hand_out_inside(uint8_t* block, size_t align, size_t offset) {
  uint8_t* p = align_in(block, align, offset);
  /* The flag is set before any other thread gets p. */
  if (p != block) mi_page_set_flag(mi_page_of(block), MI_PAGE_HAS_ALIGNED, true);
  return p;
}

/* A block that is huge, whatever its size, because of its size or its alignment. */
static mi_noinline void*
alloc_huge(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  uint8_t* block = mi_malloc_generic(
      heap, &(mi_request_t){.size = size, .align = align, .offset = offset}, zero);
  return block == NULL ? NULL : hand_out_inside(block, align, offset);
}

/* Allocates enough to move the address within the block. */
static void* alloc_more(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  if (size > MI_LARGE_BLOCK_MAX || align > MI_LARGE_BLOCK_MAX ||
      size + align - 1 > MI_LARGE_BLOCK_MAX) {
    return alloc_huge(heap, size, align, offset, zero);
  }
  uint8_t* block = mi_alloc_plain(heap, size + align - 1, zero);
  return block == NULL ? NULL : hand_out_inside(block, align, offset);
}

/* One call, so that an unwatched thread keeps the page until it is flagged. */
static mi_noinline void*
alloc_at_offset(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  mi_thread_begin_call();
  void* p = alloc_more(heap, size, align, offset, zero);
  mi_thread_end_call();
  return p;
}

void* mi_alloc_aligned(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  if (mi_unlikely(!mi_is_valid_alignment(align))) return NULL;
  if (MI_TRACK) return mi_alloc_tracked(heap, size, align, offset & (align - 1), zero);
  if (MI_GUARDED) {
    void* p = mi_alloc_guarded(heap, size, align, offset & (align - 1), zero);
    if (p != NULL) return p;
  }
  if (mi_likely(align <= MI_WORD_SIZE && offset % align == 0)) {
    return mi_alloc_plain(heap, size, zero);
  }
  /* Rejected before it is rounded up, which may overflow. */
  if (mi_unlikely(size > MI_MAX_ALLOC_SIZE))
    return mi_malloc_generic(heap, &(mi_request_t){.size = size, .align = align}, zero);
  if (mi_unlikely((offset & (align - 1)) != 0))
    return alloc_at_offset(heap, size, align, offset, zero);
  size_t rounded = mi_align_up(size == 0 ? 1 : size, align);
  if (mi_likely(align <= MI_LARGE_BLOCK_MAX && rounded <= MI_LARGE_BLOCK_MAX)) {
    return mi_alloc_plain(heap, rounded, zero);
  }
  return alloc_huge(heap, size, align, 0, zero);
}

void* mi_heap_malloc_aligned_at(mi_heap_t* heap, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return mi_alloc_aligned(heap, size, alignment, offset, false);
}
void* mi_heap_malloc_aligned(mi_heap_t* heap, size_t size, size_t alignment) mi_attr_noexcept {
  return mi_alloc_aligned(heap, size, alignment, 0, false);
}
void* mi_heap_zalloc_aligned_at(mi_heap_t* heap, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return mi_alloc_aligned(heap, size, alignment, offset, true);
}
void* mi_heap_zalloc_aligned(mi_heap_t* heap, size_t size, size_t alignment) mi_attr_noexcept {
  return mi_alloc_aligned(heap, size, alignment, 0, true);
}
void* mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept {
  return mi_alloc_aligned(mi_heap_default, size, alignment, offset, false);
}
void* mi_malloc_aligned(size_t size, size_t alignment) mi_attr_noexcept {
  void* p = mi_malloc_aligned_quick(size, alignment);
  return mi_likely(p != NULL) ? p : mi_alloc_aligned(mi_heap_default, size, alignment, 0, false);
}
void* mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept {
  return mi_alloc_aligned(mi_heap_default, size, alignment, offset, true);
}
void* mi_zalloc_aligned(size_t size, size_t alignment) mi_attr_noexcept {
  return mi_alloc_aligned(mi_heap_default, size, alignment, 0, true);
}

void* mi_heap_calloc_aligned_at(mi_heap_t* heap, size_t count, size_t size, size_t alignment,
                                size_t offset) mi_attr_noexcept {
  size_t total;
  if (mi_unlikely(!mi_is_valid_alignment(alignment))) return NULL;
  return mi_count_bytes(count, size, &total)
             ? mi_alloc_aligned(heap, total, alignment, offset, true)
             : NULL;
}
void* mi_heap_calloc_aligned(mi_heap_t* heap, size_t count, size_t size, size_t alignment)
    mi_attr_noexcept {
  return mi_heap_calloc_aligned_at(heap, count, size, alignment, 0);
}
void* mi_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return mi_heap_calloc_aligned_at(mi_heap_default, count, size, alignment, offset);
}
void* mi_calloc_aligned(size_t count, size_t size, size_t alignment) mi_attr_noexcept {
  return mi_heap_calloc_aligned_at(mi_heap_default, count, size, alignment, 0);
}
