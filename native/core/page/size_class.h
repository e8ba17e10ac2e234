/* Size classes, called bins. Bin 1 is 8 bytes, bins 2 to 9 are 16, 32, … 128. Then there are eight
   bins to each doubling up to MI_LARGE_BLOCK_MAX: 144, 160, … 256, 288, … */
#ifndef MI_SIZE_CLASS_H
#define MI_SIZE_CLASS_H

#include "bits.h"

#define MI_BIN_FIRST_GEOMETRIC 10u

/* Like mi_bin_of, for size > 128. */
mi_inline size_t mi_bin_of_geometric(size_t size) {
  size_t last = size - 1;
  unsigned shift = mi_bsr64(last) - 3; /* last >> shift is 8 to 15 */
  return (size_t)shift * 8 + (last >> shift) - (4 * 8 + 8 - MI_BIN_FIRST_GEOMETRIC);
}

/* The bin of the smallest class that holds `size` bytes. size <= MI_LARGE_BLOCK_MAX. */
mi_inline unsigned mi_bin_of(size_t size) {
  if (size <= 8) return 1;
  if (size <= 128) return (unsigned)((size + 15) >> 4) + 1;
  return (unsigned)mi_bin_of_geometric(size);
}

/* The block size of a bin from 1 to MI_BIN_HUGE - 1. */
mi_inline size_t mi_bin_block_size(unsigned bin) {
  if (bin == 1) return 8;
  if (bin < MI_BIN_FIRST_GEOMETRIC) return (size_t)(bin - 1) << 4;
  unsigned step = bin - MI_BIN_FIRST_GEOMETRIC;
  return (size_t)(9 + (step & 7)) << (4 + (step >> 3));
}

#endif
