/* Resizing. */
#include <errno.h>

#include "api/alloc.h"
#include "api/free.h"

/* A block that is less than half used moves, if that makes it smaller. */
static bool stays(size_t newsize, size_t usable, size_t align) {
  if (newsize > usable) return false;
  return newsize >= usable - usable / 2 || mi_good_size(mi_align_up(newsize, align)) >= usable;
}

/* A huge block of this thread changes its size without a copy. NULL if it cannot. */
static void* resize_huge(mi_page_t* page, void* p, size_t newsize) {
  mi_segment_t* segment = mi_segment_of(page);
  if (!mi_segment_is_huge(segment) || !mi_segment_is_mine(segment) ||
      newsize <= MI_LARGE_BLOCK_MAX || newsize > MI_MAX_ALLOC_SIZE - MI_SEGMENT_SIZE) {
    return NULL;
  }
  size_t inside = (size_t)((uint8_t*)p - page->start);
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  /* No other thread knows the page: its block is ours. So it may leave its queue and its
     address. */
  mi_heap_remove_page(heap, page);
  mi_page_t* moved = mi_huge_page_resize(page, newsize + inside);
  mi_heap_add_page(heap, moved == NULL ? page : moved, false);
  return moved == NULL ? NULL : moved->start + inside;
}

void* mi_realloc_from(mi_heap_t* heap, void* p, size_t newsize, size_t align) {
  if (p == NULL) return mi_alloc_aligned(heap, newsize, align, 0, false);
  mi_page_t* page = mi_checked_page_of("realloc", p);
  if (mi_unlikely(page == NULL)) {
    errno = EINVAL;
    return NULL;
  }
  size_t usable = mi_usable_from(page, p);
  bool aligned = mi_is_aligned(p, align);
  if (mi_likely(aligned && stays(newsize, usable, align))) return p;
  if (aligned && align <= MI_SEGMENT_SIZE) {
    void* resized = resize_huge(page, p, newsize);
    if (resized != NULL) return resized;
  }
  void* moved = mi_alloc_aligned(heap, newsize, align, 0, false);
  if (mi_unlikely(moved == NULL))
    return aligned && newsize <= usable ? p : NULL; /* never fail to shrink */
  memcpy(moved, p, newsize < usable ? newsize : usable);
  mi_free_inline(p);
  return moved;
}

void* mi_heap_realloc(mi_heap_t* heap, void* p, size_t newsize) mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, 1);
}
void* mi_realloc(void* p, size_t newsize) mi_attr_noexcept {
  return mi_realloc_from(mi_heap_default, p, newsize, 1);
}

void* mi_reallocn(void* p, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_realloc(p, total) : NULL;
}

void* mi_reallocf(void* p, size_t newsize) mi_attr_noexcept {
  void* moved = mi_realloc(p, newsize);
  if (moved == NULL) mi_free(p);
  return moved;
}

void* mi_expand(void* p, size_t newsize) mi_attr_noexcept {
  return p != NULL && newsize <= mi_usable_size(p) ? p : NULL;
}

static bool valid_alignment(size_t alignment) {
  if (mi_is_power_of_two(alignment)) return true;
  errno = EINVAL;
  return false;
}

void* mi_heap_realloc_aligned(mi_heap_t* heap, void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept {
  return valid_alignment(alignment) ? mi_realloc_from(heap, p, newsize, alignment) : NULL;
}
void* mi_realloc_aligned(void* p, size_t newsize, size_t alignment) mi_attr_noexcept {
  return mi_heap_realloc_aligned(mi_heap_default, p, newsize, alignment);
}
