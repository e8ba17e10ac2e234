/* Whether memory is miheap's: in a program that is linked with it, or runs preloaded. The weak name
   is missing where neither is so. */
#ifndef MI_TEST_OURS_H
#define MI_TEST_OURS_H

#include "check.h"

#if defined(__cplusplus)
extern "C"
#endif
    __attribute__((weak)) size_t
    mi_usable_size(const void* p);

/* A pointer that is not ours is also complained about on stderr. */
static inline bool is_ours(const void* p) {
  return p != NULL && mi_usable_size != NULL && mi_usable_size(p) > 0;
}

/* Keeps the compiler from knowing what a pointer or number is, and from removing the call that
   made it. */
static inline void* opaque(void* p) {
  __asm__ volatile("" : "+r"(p) : : "memory");
  return p;
}
static inline size_t opaque_size(size_t n) {
  __asm__ volatile("" : "+r"(n));
  return n;
}

#endif
