/* Tells valgrind (builds with MI_VALGRIND) or AddressSanitizer (MI_ASAN) which memory the program
   may touch, so that they report its mistakes with our blocks as they do with the C library's. In
   other builds all of this is nothing. What a tracked block looks like: segment/track.h. */
#ifndef MI_OS_TRACK_H
#define MI_OS_TRACK_H

#include "types.h"

#ifndef MI_VALGRIND
#define MI_VALGRIND 0
#endif
#ifndef MI_ASAN
#define MI_ASAN 0
#endif
#define MI_TRACK (MI_VALGRIND || MI_ASAN)

/* miheap has words of its own in closed memory: links and headers. These functions read and write
   them, and the memory stays closed: if it was opened for a moment, another thread that is at the
   same word would close it too soon. Relaxed atomics. */

#if MI_VALGRIND
#include <valgrind/memcheck.h>

mi_inline uintptr_t mi_os_track_load(const uintptr_t* word) {
  VALGRIND_DISABLE_ERROR_REPORTING; /* of this thread */
  uintptr_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
  VALGRIND_ENABLE_ERROR_REPORTING;
  return value;
}
mi_inline void mi_os_track_store(uintptr_t* word, uintptr_t value) {
  VALGRIND_DISABLE_ERROR_REPORTING;
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
  VALGRIND_ENABLE_ERROR_REPORTING;
}

/* Memory that miheap itself may use. */
mi_inline void mi_os_track_open(void* p, size_t size) { (void)VALGRIND_MAKE_MEM_DEFINED(p, size); }
/* Memory that must not be touched. */
mi_inline void mi_os_track_close(void* p, size_t size) {
  (void)VALGRIND_MAKE_MEM_NOACCESS(p, size);
}
/* The program gets the block at `p`, whose memory is open. `zero`: it is known to be zero. */
mi_inline void mi_os_track_malloc(void* p, size_t size, bool zero) {
  VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, zero);
}
mi_inline void mi_os_track_resize(void* p, size_t size, size_t newsize) {
  if (size == newsize) return;
  if (newsize > 0) {
    VALGRIND_RESIZEINPLACE_BLOCK(p, size, newsize, 0);
  } else { /* valgrind would take that for a wrong free */
    VALGRIND_FREELIKE_BLOCK(p, 0);
    VALGRIND_MALLOCLIKE_BLOCK(p, 0, 0, false);
  }
}
/* The program gave the block at `p` back, and must not touch it now. */
mi_inline void mi_os_track_free(void* p, size_t size) {
  (void)size;
  VALGRIND_FREELIKE_BLOCK(p, 0);
}
/* Makes the tool report that `p`, which the program frees, is no block. */
mi_inline void mi_os_track_free_bad(void* p) { VALGRIND_FREELIKE_BLOCK(p, 0); }

#elif MI_ASAN
#include <sanitizer/asan_interface.h>

/* The compilers inline no function with this attribute into one without it. */
#define MI_OS_UNWATCHED static inline __attribute__((no_sanitize_address))
MI_OS_UNWATCHED uintptr_t mi_os_track_load(const uintptr_t* word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
MI_OS_UNWATCHED void mi_os_track_store(uintptr_t* word, uintptr_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

mi_inline void mi_os_track_open(void* p, size_t size) { __asan_unpoison_memory_region(p, size); }
mi_inline void mi_os_track_close(void* p, size_t size) { __asan_poison_memory_region(p, size); }
mi_inline void mi_os_track_malloc(void* p, size_t size, bool zero) {
  (void)zero;
  __asan_unpoison_memory_region(p, size);
}
mi_inline void mi_os_track_resize(void* p, size_t size, size_t newsize) {
  __asan_poison_memory_region(p, size);
  __asan_unpoison_memory_region(p, newsize);
}
mi_inline void mi_os_track_free(void* p, size_t size) { __asan_poison_memory_region(p, size); }
/* Touches what must not be touched, which AddressSanitizer reports. */
mi_inline void mi_os_track_free_bad(void* p) { (void)*(volatile unsigned char*)p; }

#else
mi_inline uintptr_t mi_os_track_load(const uintptr_t* word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
mi_inline void mi_os_track_store(uintptr_t* word, uintptr_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}
#define mi_os_track_open(p, size) ((void)0)
#define mi_os_track_free_bad(p) ((void)0)
#endif

#endif
