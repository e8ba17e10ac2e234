#include "bits.h"

#include "check.h"

static void runs(void) {
  CHECK_EQ(mi_bits64(0, 64), ~(uint64_t)0);
  CHECK_EQ(mi_bits64(63, 1), (uint64_t)1 << 63);
  for (unsigned first = 0; first < 64; first++) {
    for (unsigned count = 1; first + count <= 64; count++) {
      uint64_t mask = mi_bits64(first, count);
      CHECK_EQ(mi_popcount64(mask), count);
      CHECK_EQ(mi_ctz64(mask), first);
      CHECK_EQ(mi_bsr64(mask), first + count - 1);
      mi_span_t run = mi_first_span(mask);
      CHECK_EQ(run.first, first);
      CHECK_EQ(run.count, count);
      /* A later run, with a gap between. */
      if (first + count + 1 > 63) continue;
      run = mi_first_span(mask | mi_bits64(first + count + 1, 1));
      CHECK_EQ(run.first, first);
      CHECK_EQ(run.count, count);
    }
  }
}

static void alignment(void) {
  CHECK_EQ(mi_align_up(0, 16), 0);
  CHECK_EQ(mi_align_up(1, 16), 16);
  CHECK_EQ(mi_align_up(16, 16), 16);
  CHECK_EQ(mi_align_down(31, 16), 16);
  CHECK_EQ(mi_lowest_bit(48), 16);
  CHECK(!mi_is_power_of_two(0));
  CHECK(mi_is_power_of_two(1));
  CHECK(!mi_is_power_of_two(SIZE_MAX));
  CHECK(mi_is_power_of_two((size_t)1 << 63));
}

static void products(void) {
  size_t total;
  CHECK(!mi_mul_overflow((size_t)1 << 32, ((size_t)1 << 32) - 1, &total));
  CHECK_EQ(total, ((size_t)1 << 32) * (((size_t)1 << 32) - 1));
  CHECK(mi_mul_overflow((size_t)1 << 32, (size_t)1 << 32, &total));
  CHECK(!mi_mul_overflow(0, SIZE_MAX, &total));
}

int main(void) {
  runs();
  alignment();
  products();
  return 0;
}
