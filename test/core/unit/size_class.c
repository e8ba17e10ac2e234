/* Every size there is a class for. */
#include "page/size_class.h"

#include "check.h"

int main(void) {
  unsigned previous = 1;
  for (size_t size = 0; size <= MI_LARGE_BLOCK_MAX; size++) {
    unsigned bin = mi_bin_of(size);
    size_t block = mi_bin_block_size(bin);
    size_t rounded = size <= 8 ? 8 : mi_align_up(size, 16);
    CHECK_CMP(bin, >=, previous);
    CHECK_CMP(bin, <=, previous + 1);
    CHECK_CMP(bin, <, MI_BIN_HUGE);
    CHECK_CMP(block, >=, size);
    if (size > 64) CHECK_CMP((block - rounded) * 8, <=, block);
    if (size > 8) CHECK_EQ(block % 16, 0);
    previous = bin;
  }
  CHECK_EQ(previous, MI_BIN_HUGE - 1);
  CHECK_EQ(mi_bin_of(MI_MEDIUM_BLOCK_MAX), MI_BIN_LARGE - 1);
  for (unsigned bin = 1; bin < MI_BIN_HUGE; bin++) {
    size_t block = mi_bin_block_size(bin);
    CHECK_EQ(mi_bin_of(block), bin);
    if (bin > 1) CHECK_EQ(mi_bin_of(mi_bin_block_size(bin - 1) + 1), bin);
    /* What aligned allocation relies on: a multiple of an alignment has a class that is one too. */
    for (size_t align = 16; align <= MI_LARGE_BLOCK_MAX; align <<= 1) {
      size_t size = mi_align_down(block, align);
      if (size != 0) CHECK_EQ(mi_bin_block_size(mi_bin_of(size)) % align, 0);
    }
  }
  return 0;
}
