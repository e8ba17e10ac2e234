/* Contents by which a block is known: a pattern that follows from a seed. In a block of more than
   PATTERN_WHOLE bytes only both ends and one byte in every PATTERN_STEP are written and verified,
   so that a test is not all memset. */
#ifndef MI_TEST_PATTERN_H
#define MI_TEST_PATTERN_H

#include "check.h"

enum { PATTERN_WHOLE = 8192, PATTERN_STEP = 4000 };

/* The byte at offset i. */
static inline unsigned char pattern_byte(uint64_t seed, size_t i) {
  return (unsigned char)((seed + i * 131) >> (i & 7));
}

/* The offset after i that is written; `size` or more: none is left. */
static inline size_t pattern_next(size_t i, size_t size) {
  if (size <= PATTERN_WHOLE || i < 64 || i + 65 >= size) return i + 1;
  size_t next = i + PATTERN_STEP;
  return next + 64 < size ? next : size - 64;
}

static inline void pattern_fill(void* p, size_t size, uint64_t seed) {
  unsigned char* bytes = p;
  for (size_t i = 0; i < size; i = pattern_next(i, size)) bytes[i] = pattern_byte(seed, i);
}

/* Whether the first `size` bytes are those of a block that was filled as one of `filled` bytes.
   Prints the first byte that is not. */
static inline bool pattern_holds_prefix(const void* p, size_t size, size_t filled, uint64_t seed) {
  const unsigned char* bytes = p;
  for (size_t i = 0; i < size; i = pattern_next(i, filled)) {
    if (bytes[i] != pattern_byte(seed, i)) {
      fprintf(stderr, "%p: byte %zu of %zu is %02x, not %02x\n", p, i, filled, bytes[i],
              pattern_byte(seed, i));
      return false;
    }
  }
  return true;
}

static inline bool pattern_holds(const void* p, size_t size, uint64_t seed) {
  return pattern_holds_prefix(p, size, size, seed);
}

static inline bool is_all_zero(const void* p, size_t size) {
  const unsigned char* bytes = p;
  return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
