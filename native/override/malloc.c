/* The C library's allocation functions. */
#include "api/alloc.h"
#include "api/free.h"
#include "glibc.h"
#include "heap/thread.h"

mi_exported mi_hot void* malloc(size_t size);
mi_exported void* calloc(size_t count, size_t size);
mi_exported void* realloc(void* p, size_t size);
mi_exported mi_hot void free(void* p);
mi_exported void cfree(void* p);
mi_exported void free_sized(void* p, size_t size);
mi_exported void free_aligned_sized(void* p, size_t alignment, size_t size);
mi_exported void* reallocarray(void* p, size_t count, size_t size);
mi_exported int reallocarr(void* p, size_t count, size_t size);
mi_exported int posix_memalign(void** p, size_t alignment, size_t size);
mi_exported void* memalign(size_t alignment, size_t size);
mi_exported void* aligned_alloc(size_t alignment, size_t size);
mi_exported void* valloc(size_t size);
mi_exported void* pvalloc(size_t size);
mi_exported size_t malloc_usable_size(void* p);
mi_exported size_t malloc_size(const void* p);
mi_exported size_t malloc_good_size(size_t size);

void* malloc(size_t size) { return mi_malloc_inline(size); }
void free(void* p) { mi_free_inline(p); }
void cfree(void* p) { mi_free_inline(p); }

/* C23. A C library that has these would free our block as one of its own. */
void free_sized(void* p, size_t size) {
  (void)size;
  mi_free_inline(p);
}
void free_aligned_sized(void* p, size_t alignment, size_t size) {
  (void)alignment;
  (void)size;
  mi_free_inline(p);
}

void* calloc(size_t count, size_t size) {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_alloc(mi_heap_default, total, true) : NULL;
}

/* Size 0 frees, as in glibc. */
void* realloc(void* p, size_t size) {
  if (mi_unlikely(size == 0 && p != NULL)) {
    mi_free_inline(p);
    return NULL;
  }
  return mi_realloc(p, size);
}

void* reallocarray(void* p, size_t count, size_t size) {
  size_t total;
  return mi_count_bytes(count, size, &total) ? realloc(p, total) : NULL;
}

int reallocarr(void* p, size_t count, size_t size) { return mi_reallocarr(p, count, size); }
int posix_memalign(void** p, size_t alignment, size_t size) {
  return mi_posix_memalign(p, alignment, size);
}

/* Rounds up to a power of two, as glibc does, or did. 0 if there is none. */
static size_t rounded_alignment(size_t alignment) {
  size_t power = 1;
  while (power < alignment && power != 0) power <<= 1;
  return power;
}

void* memalign(size_t alignment, size_t size) {
  return mi_memalign(rounded_alignment(alignment), size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  return mi_aligned_alloc(rounded_alignment(alignment), size);
}

void* valloc(size_t size) { return mi_valloc(size); }
void* pvalloc(size_t size) { return mi_pvalloc(size); }
size_t malloc_usable_size(void* p) { return mi_usable_size(p); }
size_t malloc_size(const void* p) { return mi_usable_size(p); }
size_t malloc_good_size(size_t size) { return mi_good_size(size); }
