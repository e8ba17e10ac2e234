/* Arithmetic on sizes, addresses and masks. */
#ifndef MI_BITS_H
#define MI_BITS_H

#include "types.h"

/* The index of the lowest set bit. x must not be 0. */
mi_inline unsigned mi_ctz64(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
/* The index of the highest set bit. x must not be 0. */
mi_inline unsigned mi_bsr64(uint64_t x) { return 63u ^ (unsigned)__builtin_clzll(x); }

mi_inline bool mi_is_power_of_two(size_t x) { return x != 0 && (x & (x - 1)) == 0; }

/* The least multiple of `align`, a power of two, that is not below x. Wraps to 0 if there is
   none. */
mi_inline size_t mi_align_up(size_t x, size_t align) { return (x + align - 1) & ~(align - 1); }
/* The greatest multiple of `align`, a power of two, that is not above x. */
mi_inline size_t mi_align_down(size_t x, size_t align) { return x & ~(align - 1); }
/* `align` is a power of two. */
mi_inline bool mi_is_aligned(const void* p, size_t align) {
  return ((uintptr_t)p & (align - 1)) == 0;
}

/* The largest power of two that divides x. x must not be 0. */
mi_inline size_t mi_lowest_bit(size_t x) { return x & (0 - x); }

/* A mask of `count` bits from bit `first` on. count > 0, first + count <= 64. */
mi_inline uint64_t mi_bits64(unsigned first, unsigned count) {
  return (count >= 64 ? ~(uint64_t)0 : (((uint64_t)1 << count) - 1)) << first;
}

/* The number of set bits. */
mi_inline unsigned mi_popcount64(uint64_t x) {
  /* Not the builtin: gcc calls a function of its library for that where it may not use the
     instruction. Where it may, it makes one of this. */
  x -= (x >> 1) & 0x5555555555555555;
  x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F;
  return (unsigned)((x * 0x0101010101010101) >> 56);
}

/* A run of bits, or of what they stand for: `count` from number `first` on. */
typedef struct mi_span_s {
  unsigned first;
  unsigned count;
} mi_span_t;

/* The lowest run of set bits in x. x must not be 0. */
mi_inline mi_span_t mi_first_span(uint64_t x) {
  unsigned first = mi_ctz64(x);
  uint64_t rest = ~(x >> first);
  return (mi_span_t){first, rest == 0 ? 64 : mi_ctz64(rest)};
}

/* *total = count * size. True if that overflows. */
mi_inline bool mi_mul_overflow(size_t count, size_t size, size_t* total) {
  return __builtin_mul_overflow(count, size, total);
}

#endif
