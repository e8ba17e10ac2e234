/* Names that only glibc has: those that its own code and old programs call directly, and those that
   question or tune the allocator. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "miheap.h"
#include "types.h"

mi_exported void* __libc_malloc(size_t size);
mi_exported void* __libc_calloc(size_t count, size_t size);
mi_exported void* __libc_realloc(void* p, size_t size);
mi_exported void __libc_free(void* p);
mi_exported void __libc_cfree(void* p);
mi_exported void* __libc_memalign(size_t alignment, size_t size);
mi_exported void* __libc_valloc(size_t size);
mi_exported void* __libc_pvalloc(size_t size);
mi_exported void* __libc_reallocarray(void* p, size_t count, size_t size);
mi_exported int __libc_mallopt(int parameter, int value);
mi_exported struct mallinfo __libc_mallinfo(void);
mi_exported int __posix_memalign(void** p, size_t alignment, size_t size);

void* __libc_malloc(size_t size) { return malloc(size); }
void* __libc_calloc(size_t count, size_t size) { return calloc(count, size); }
void* __libc_realloc(void* p, size_t size) { return realloc(p, size); }
void __libc_free(void* p) { free(p); }
void __libc_cfree(void* p) { free(p); }
void* __libc_memalign(size_t alignment, size_t size) { return memalign(alignment, size); }
void* __libc_valloc(size_t size) { return mi_valloc(size); }
void* __libc_pvalloc(size_t size) { return mi_pvalloc(size); }
void* __libc_reallocarray(void* p, size_t count, size_t size) {
  return reallocarray(p, count, size);
}
int __posix_memalign(void** p, size_t alignment, size_t size) {
  return mi_posix_memalign(p, alignment, size);
}

/* Returns 1: memory may have gone back to the system. */
mi_exported mi_cold int malloc_trim(size_t pad) {
  (void)pad;
  mi_collect(true);
  return 1;
}

/* Returns 1, which says accepted. glibc's parameters mean nothing here. */
int __libc_mallopt(int parameter, int value) {
  (void)parameter;
  (void)value;
  return 1;
}
mi_exported mi_cold int mallopt(int parameter, int value) {
  return __libc_mallopt(parameter, value);
}

/* The fields for what is used and free inside of pages are 0, since that is not counted. */
mi_exported mi_cold struct mallinfo2 mallinfo2(void) {
  struct mallinfo2 info = {0};
  mi_stats_t stats;
  mi_stats_get(sizeof(stats), &stats);
  info.hblkhd = (size_t)stats.malloc_huge.current;
  size_t committed = (size_t)stats.committed.current;
  info.arena = committed > info.hblkhd ? committed - info.hblkhd : 0;
  return info;
}

static int to_int(size_t value) { return value > 0x7FFFFFFF ? 0x7FFFFFFF : (int)value; }

struct mallinfo __libc_mallinfo(void) {
  struct mallinfo2 wide = mallinfo2();
  struct mallinfo info = {0};
  info.arena = to_int(wide.arena);
  info.hblkhd = to_int(wide.hblkhd);
  return info;
}
mi_exported mi_cold struct mallinfo mallinfo(void) { return __libc_mallinfo(); }

mi_exported mi_cold int malloc_info(int options, FILE* out) {
  if (options != 0) return EINVAL;
  struct mallinfo2 info = mallinfo2();
  int written = fprintf(out,
                        "<malloc version=\"miheap-" MIHEAP_VERSION
                        "\"><system type=\"current\" size=\"%zu\"/></malloc>\n",
                        info.arena + info.hblkhd);
  return written < 0 ? -1 : 0;
}

mi_exported mi_cold void malloc_stats(void) { mi_stats_print_out(NULL, NULL); }
