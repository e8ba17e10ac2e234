/* The functions that POSIX, BSD, glibc and Windows have under other names. */
#include <errno.h>

#include "api/alloc.h"
#include "api/free.h"
#include "bits.h"
#include "heap/thread.h"
#include "miheap.h"
#include "os/os.h"

int mi_posix_memalign(void** p, size_t alignment, size_t size) mi_attr_noexcept {
  if (p == NULL || alignment % sizeof(void*) != 0 || !mi_is_power_of_two(alignment)) return EINVAL;
  void* block = mi_malloc_aligned_quick(size, alignment);
  if (mi_unlikely(block == NULL)) {
    int saved = errno;
    block = mi_alloc_aligned(mi_heap_default, size, alignment, 0, false);
    errno = saved; /* the standard: the error is returned, and errno left alone */
    if (block == NULL) return ENOMEM;
  }
  *p = block;
  return 0;
}

void* mi_memalign(size_t alignment, size_t size) mi_attr_noexcept {
  return mi_malloc_aligned(size, alignment);
}
void* mi_aligned_alloc(size_t alignment, size_t size) mi_attr_noexcept {
  return mi_malloc_aligned(size, alignment);
}
void* mi_valloc(size_t size) mi_attr_noexcept { return mi_malloc_aligned(size, mi_os_page_size()); }

void* mi_pvalloc(size_t size) mi_attr_noexcept {
  size_t page = mi_os_page_size();
  if (size == 0) return mi_malloc_aligned(page, page);
  if (size > PTRDIFF_MAX - page) return mi_malloc_aligned(size, page); /* which fails */
  return mi_malloc_aligned(mi_align_up(size, page), page);
}

void* mi_reallocarray(void* p, size_t count, size_t size) mi_attr_noexcept {
  return mi_reallocn(p, count, size);
}

int mi_reallocarr(void* p, size_t count, size_t size) mi_attr_noexcept {
  if (p == NULL) return EINVAL;
  void** place = p;
  if (count == 0 || size == 0) {
    if (*place != NULL && mi_checked_page_of("reallocarr", *place) == NULL) return EINVAL;
    mi_free(*place);
    *place = NULL;
    return 0;
  }
  int saved = errno;
  void* moved = mi_reallocn(*place, count, size);
  int error = moved == NULL ? errno : 0;
  errno = saved;
  if (error == 0) *place = moved;
  return error;
}

size_t mi_malloc_size(const void* p) mi_attr_noexcept { return mi_usable_size(p); }
size_t mi_malloc_usable_size(const void* p) mi_attr_noexcept { return mi_usable_size(p); }
size_t mi_malloc_good_size(size_t size) mi_attr_noexcept { return mi_good_size(size); }

void mi_free_size(void* p, size_t size) mi_attr_noexcept {
  (void)size;
  mi_free(p);
}
void mi_free_size_aligned(void* p, size_t size, size_t alignment) mi_attr_noexcept {
  (void)size;
  (void)alignment;
  mi_free(p);
}
void mi_free_aligned(void* p, size_t alignment) mi_attr_noexcept {
  (void)alignment;
  mi_free(p);
}

void* mi__expand(void* p, size_t newsize) mi_attr_noexcept {
  void* expanded = mi_expand(p, newsize);
  if (expanded == NULL) errno = ENOMEM;
  return expanded;
}
void* mi_aligned_recalloc(void* p, size_t newcount, size_t size, size_t alignment)
    mi_attr_noexcept {
  return mi_recalloc_aligned(p, newcount, size, alignment);
}
void* mi_aligned_offset_recalloc(void* p, size_t newcount, size_t size, size_t alignment,
                                 size_t offset) mi_attr_noexcept {
  return mi_recalloc_aligned_at(p, newcount, size, alignment, offset);
}
