/* Which units of a segment a page gets. In a mask, bit i is unit i. */
#ifndef MI_PLACE_H
#define MI_PLACE_H

#include "bits.h"

/* The number of units of a page for blocks of this size. */
mi_inline unsigned mi_units_for(size_t block_size) {
  size_t size = block_size <= MI_SMALL_BLOCK_MAX    ? MI_UNIT_SIZE
                : block_size <= MI_MEDIUM_BLOCK_MAX ? MI_MEDIUM_BLOCKS * block_size
                                                    : block_size;
  return (unsigned)((size + MI_UNIT_SIZE - 1) >> MI_UNIT_SHIFT);
}

/* The logarithm, rounded down, of the longest span of consecutive units in this mask, which has not
   all 64 bits; -1 if the mask is 0. */
mi_inline int mi_longest_span(uint64_t units) {
  int log = -1;
  /* After each step a bit says that a span of twice as many units begins there. */
  for (unsigned count = 1; units != 0; count *= 2, log++) units &= units >> count;
  return log;
}

/* The units among these at which a page for blocks of this size may begin: it has to fit, and every
   block is aligned to the largest power of two that divides its size. */
mi_inline uint64_t mi_places_for(uint64_t units, size_t block_size) {
  static const uint64_t aligned[] = {
      ~(uint64_t)0,       0x5555555555555555, 0x1111111111111111,
      0x0101010101010101, 0x0001000100010001, 0x0000000100000001,
  };
  /* Spans that are long enough: each step adds as many units as it has so far, or what is left. */
  unsigned left = mi_units_for(block_size) - 1;
  for (unsigned had = 1; left > 0; had *= 2) {
    unsigned more = had < left ? had : left;
    units &= units >> more;
    left -= more;
  }
  size_t alignment = mi_lowest_bit(block_size) >> MI_UNIT_SHIFT;
  return alignment == 0 ? units : units & aligned[mi_ctz64(alignment)];
}

#endif
