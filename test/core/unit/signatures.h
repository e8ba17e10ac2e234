/* Programs that were written against mimalloc's header rely on these names and types. Compiled in
   every dialect of C and C++. */
#ifndef MI_TEST_SIGNATURES_H
#define MI_TEST_SIGNATURES_H

#include "check.h"
#include "miheap.h"

#define SIGNATURE(result, name, parameters) \
  {                                         \
    result(*function) parameters = name;    \
    CHECK(function != NULL);                \
  }

static inline void check_signatures(void) {
  typedef size_t n;
  typedef mi_heap_t* h;
  SIGNATURE(void*, mi_malloc, (n))
  SIGNATURE(void*, mi_calloc, (n, n))
  SIGNATURE(void*, mi_realloc, (void*, n))
  SIGNATURE(void*, mi_expand, (void*, n))
  SIGNATURE(void, mi_free, (void*))
  SIGNATURE(void, mi_free_small, (void*))
  SIGNATURE(char*, mi_strdup, (const char*))
  SIGNATURE(char*, mi_strndup, (const char*, n))
  SIGNATURE(char*, mi_realpath, (const char*, char*))
  SIGNATURE(void*, mi_malloc_small, (n))
  SIGNATURE(void*, mi_zalloc_small, (n))
  SIGNATURE(void*, mi_zalloc, (n))
  SIGNATURE(void*, mi_mallocn, (n, n))
  SIGNATURE(void*, mi_reallocn, (void*, n, n))
  SIGNATURE(void*, mi_reallocf, (void*, n))
  SIGNATURE(n, mi_usable_size, (const void*))
  SIGNATURE(n, mi_good_size, (n))

  SIGNATURE(void*, mi_malloc_aligned, (n, n))
  SIGNATURE(void*, mi_malloc_aligned_at, (n, n, n))
  SIGNATURE(void*, mi_zalloc_aligned, (n, n))
  SIGNATURE(void*, mi_zalloc_aligned_at, (n, n, n))
  SIGNATURE(void*, mi_calloc_aligned, (n, n, n))
  SIGNATURE(void*, mi_calloc_aligned_at, (n, n, n, n))
  SIGNATURE(void*, mi_realloc_aligned, (void*, n, n))
  SIGNATURE(void*, mi_realloc_aligned_at, (void*, n, n, n))

  SIGNATURE(void*, mi_rezalloc, (void*, n))
  SIGNATURE(void*, mi_recalloc, (void*, n, n))
  SIGNATURE(void*, mi_rezalloc_aligned, (void*, n, n))
  SIGNATURE(void*, mi_rezalloc_aligned_at, (void*, n, n, n))
  SIGNATURE(void*, mi_recalloc_aligned, (void*, n, n, n))
  SIGNATURE(void*, mi_recalloc_aligned_at, (void*, n, n, n, n))

  SIGNATURE(void*, mi_umalloc, (n, n*))
  SIGNATURE(void*, mi_ucalloc, (n, n, n*))
  SIGNATURE(void*, mi_urealloc, (void*, n, n*, n*))
  SIGNATURE(void, mi_ufree, (void*, n*))
  SIGNATURE(void*, mi_umalloc_aligned, (n, n, n*))
  SIGNATURE(void*, mi_uzalloc_aligned, (n, n, n*))
  SIGNATURE(void*, mi_umalloc_small, (n, n*))
  SIGNATURE(void*, mi_uzalloc_small, (n, n*))

  SIGNATURE(void, mi_cfree, (void*))
  SIGNATURE(void*, mi__expand, (void*, n))
  SIGNATURE(n, mi_malloc_size, (const void*))
  SIGNATURE(n, mi_malloc_good_size, (n))
  SIGNATURE(n, mi_malloc_usable_size, (const void*))
  SIGNATURE(int, mi_posix_memalign, (void**, n, n))
  SIGNATURE(void*, mi_memalign, (n, n))
  SIGNATURE(void*, mi_valloc, (n))
  SIGNATURE(void*, mi_pvalloc, (n))
  SIGNATURE(void*, mi_aligned_alloc, (n, n))
  SIGNATURE(void*, mi_reallocarray, (void*, n, n))
  SIGNATURE(int, mi_reallocarr, (void*, n, n))
  SIGNATURE(void*, mi_aligned_recalloc, (void*, n, n, n))
  SIGNATURE(void*, mi_aligned_offset_recalloc, (void*, n, n, n, n))
  SIGNATURE(void, mi_free_size, (void*, n))
  SIGNATURE(void, mi_free_size_aligned, (void*, n, n))
  SIGNATURE(void, mi_free_aligned, (void*, n))
  SIGNATURE(int, mi_dupenv_s, (char**, n*, const char*))
  SIGNATURE(int, mi_wdupenv_s, (unsigned short**, n*, const unsigned short*))
  SIGNATURE(unsigned short*, mi_wcsdup, (const unsigned short*))
  SIGNATURE(unsigned char*, mi_mbsdup, (const unsigned char*))

  SIGNATURE(void*, mi_new, (n))
  SIGNATURE(void*, mi_new_aligned, (n, n))
  SIGNATURE(void*, mi_new_nothrow, (n))
  SIGNATURE(void*, mi_new_aligned_nothrow, (n, n))
  SIGNATURE(void*, mi_new_n, (n, n))
  SIGNATURE(void*, mi_new_realloc, (void*, n))
  SIGNATURE(void*, mi_new_reallocn, (void*, n, n))
  SIGNATURE(void*, mi_heap_alloc_new, (h, n))
  SIGNATURE(void*, mi_heap_alloc_new_n, (h, n, n))

  SIGNATURE(h, mi_heap_new, (void))
  SIGNATURE(void, mi_heap_delete, (h))
  SIGNATURE(void, mi_heap_destroy, (h))
  SIGNATURE(h, mi_heap_set_default, (h))
  SIGNATURE(h, mi_heap_get_default, (void))
  SIGNATURE(h, mi_heap_get_backing, (void))
  SIGNATURE(void, mi_heap_collect, (h, bool))
  SIGNATURE(void*, mi_heap_malloc, (h, n))
  SIGNATURE(void*, mi_heap_zalloc, (h, n))
  SIGNATURE(void*, mi_heap_calloc, (h, n, n))
  SIGNATURE(void*, mi_heap_mallocn, (h, n, n))
  SIGNATURE(void*, mi_heap_malloc_small, (h, n))
  SIGNATURE(void*, mi_heap_zalloc_small, (h, n))
  SIGNATURE(void*, mi_heap_realloc, (h, void*, n))
  SIGNATURE(void*, mi_heap_reallocn, (h, void*, n, n))
  SIGNATURE(void*, mi_heap_reallocf, (h, void*, n))
  SIGNATURE(char*, mi_heap_strdup, (h, const char*))
  SIGNATURE(char*, mi_heap_strndup, (h, const char*, n))
  SIGNATURE(char*, mi_heap_realpath, (h, const char*, char*))
  SIGNATURE(void*, mi_heap_malloc_aligned, (h, n, n))
  SIGNATURE(void*, mi_heap_malloc_aligned_at, (h, n, n, n))
  SIGNATURE(void*, mi_heap_zalloc_aligned, (h, n, n))
  SIGNATURE(void*, mi_heap_zalloc_aligned_at, (h, n, n, n))
  SIGNATURE(void*, mi_heap_calloc_aligned, (h, n, n, n))
  SIGNATURE(void*, mi_heap_calloc_aligned_at, (h, n, n, n, n))
  SIGNATURE(void*, mi_heap_realloc_aligned, (h, void*, n, n))
  SIGNATURE(void*, mi_heap_realloc_aligned_at, (h, void*, n, n, n))
  SIGNATURE(void*, mi_heap_rezalloc, (h, void*, n))
  SIGNATURE(void*, mi_heap_recalloc, (h, void*, n, n))
  SIGNATURE(void*, mi_heap_rezalloc_aligned, (h, void*, n, n))
  SIGNATURE(void*, mi_heap_rezalloc_aligned_at, (h, void*, n, n, n))
  SIGNATURE(void*, mi_heap_recalloc_aligned, (h, void*, n, n, n))
  SIGNATURE(void*, mi_heap_recalloc_aligned_at, (h, void*, n, n, n, n))
}

#endif
