/* The names of POSIX and glibc. */
#include <errno.h>

#include "bits.h"
#include "miheap.h"
#include "os/os.h"

int mi_posix_memalign(void** p, size_t alignment, size_t size) mi_attr_noexcept {
  if (p == NULL || alignment % sizeof(void*) != 0 || !mi_is_power_of_two(alignment)) return EINVAL;
  int saved = errno;
  void* block = mi_malloc_aligned(size, alignment);
  errno = saved; /* the standard wants the code returned and errno left alone */
  if (block == NULL) return ENOMEM;
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
  if (size > PTRDIFF_MAX - page) {
    errno = ENOMEM;
    return NULL;
  }
  return mi_malloc_aligned(size == 0 ? page : mi_align_up(size, page), page);
}

void* mi_reallocarray(void* p, size_t count, size_t size) mi_attr_noexcept {
  return mi_reallocn(p, count, size);
}

int mi_reallocarr(void* p, size_t count, size_t size) mi_attr_noexcept {
  if (p == NULL) return EINVAL;
  int saved = errno;
  void** place = p;
  void* moved = mi_reallocn(*place, count, size);
  int error = moved == NULL ? ENOMEM : 0;
  errno = saved;
  if (error == 0) *place = moved;
  return error;
}
