/* The functions that tell the size of a block: what one says at the start is what another says at
   the end. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)

static size_t live; /* as a caller keeps account */

static void given(const void* p, size_t size, size_t block_size) {
  CHECK(p != NULL);
  CHECK_CMP(block_size, >=, mi_usable_size(p));
  CHECK_CMP(mi_usable_size(p), >=, size);
  live += block_size;
}

static void give_back(void* p) {
  size_t block_size = 1;
  mi_ufree(p, &block_size);
  CHECK_CMP(live, >=, block_size);
  live -= block_size;
}

static void every_function(size_t size) {
  size_t is;
  uint8_t* p[5];
  p[0] = mi_umalloc(size, &is);
  given(p[0], size, is);
  p[1] = mi_ucalloc(size, 3, &is);
  given(p[1], 3 * size, is);
  CHECK(is_all_zero(p[1], 3 * size));
  p[2] = mi_umalloc_aligned(size, 256, &is);
  given(p[2], size, is);
  p[3] = mi_uzalloc_aligned(size, 4096, &is);
  given(p[3], size, is);
  CHECK(is_all_zero(p[3], size));
  CHECK_EQ((uintptr_t)p[2] % 256, 0);
  CHECK_EQ((uintptr_t)p[3] % 4096, 0);
  /* Handed out inside of its block. */
  p[4] = mi_malloc_aligned_at(size, 128, 8);
  size_t before, after;
  p[4] = mi_urealloc(p[4], size / 2 + 1, &before, &after);
  CHECK_CMP(before, >=, size);
  given(p[4], size / 2 + 1, after);
  for (int i = 0; i < 5; i++) {
    memset(p[i], 0xEE, mi_usable_size(p[i]));
    p[i] = mi_urealloc(p[i], 2 * size + 10, &before, &after);
    CHECK_CMP(live, >=, before);
    live -= before;
    given(p[i], 2 * size + 10, after);
  }
  for (int i = 0; i < 5; i++) give_back(p[i]);
  CHECK_EQ(live, 0);
}

static void small(void) {
  for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size += 24) {
    size_t is;
    uint8_t* p = mi_umalloc_small(size, &is);
    given(p, size, is);
    memset(p, 0xEE, is);
    give_back(p);
    p = mi_uzalloc_small(size, &is);
    given(p, size, is);
    CHECK(is_all_zero(p, is));
    give_back(p);
  }
  CHECK_EQ(live, 0);
}

/* Where there is no block there is no size, and whoever does not want one need not take it. */
static void nothing(void) {
  size_t is = 4711;
  size_t was = 4711;
  volatile size_t most = SIZE_MAX;
  mi_option_disable(mi_option_show_errors);
  CHECK_PTR(mi_umalloc(most, &is), ==, NULL);
  CHECK_PTR(mi_ucalloc(most, 2, &is), ==, NULL);
  CHECK_PTR(mi_umalloc_aligned(10, most, &is), ==, NULL);
  CHECK_PTR(mi_uzalloc_aligned(most, 64, &is), ==, NULL);
  CHECK_EQ(is, 4711);
  void* p = mi_urealloc(NULL, 100, &was, &is);
  CHECK_EQ(was, 0);
  given(p, 100, is);
  size_t unchanged = 4711;
  CHECK_PTR(mi_urealloc(p, most, &was, &unchanged), ==, NULL);
  CHECK_EQ(was, is);
  CHECK_EQ(unchanged, 4711);
  give_back(p);
  mi_ufree(NULL, &is);
  CHECK_EQ(is, 0);
  mi_ufree(NULL, NULL);
  mi_ufree(mi_urealloc(mi_umalloc(10, NULL), 1000, NULL, NULL), NULL);
}

int main(void) {
  for (size_t size = 1; size < 5 * MIB; size = size * 3 + 1) every_function(size);
  small();
  nothing();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
