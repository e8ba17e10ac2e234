/* Blocks at an alignment. */
#include "bits.h"
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)

static void check_block(uint8_t* p, size_t size, size_t align, size_t offset) {
  CHECK(p != NULL);
  CHECK_EQ(((uintptr_t)p + offset) % align, 0);
  size_t usable = mi_usable_size(p);
  CHECK_CMP(usable, >=, size);
  if (usable < MIB) {
    memset(p, 0xEE, usable);
  } else {
    p[0] = p[usable - 1] = 0xEE;
  }
}

/* Neighbours must not touch each other: each is filled to its usable size before any is freed. */
static void every_alignment(void) {
  static const size_t sizes[] = {0, 1, 7, 16, 33, 100, 1000, 4096, 10000, 70000, MIB, 3 * MIB};
  for (size_t align = 1; align <= MI_ALIGNMENT_MAX; align *= 2) {
    /* Also beyond the alignment, and of those that wrap around. */
    const size_t offsets[] = {0, 1, 8, 24, 3 * align + 8, 5000, 2 * align, SIZE_MAX - 6};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
      uint8_t* blocks[12];
      size_t count = align >= MIB ? 2 : sizes[s] >= MIB ? 3 : 12;
      for (size_t i = 0; i < count; i++) {
        size_t offset = offsets[(i + s) % 8];
        blocks[i] = i % 3 == 0   ? mi_malloc_aligned_at(sizes[s], align, offset)
                    : i % 3 == 1 ? mi_zalloc_aligned_at(sizes[s], align, offset)
                                 : mi_malloc_aligned(sizes[s], align);
        if (i % 3 == 1) CHECK(is_all_zero(blocks[i], sizes[s]));
        check_block(blocks[i], sizes[s], align, i % 3 == 2 ? 0 : offset);
      }
      for (size_t i = 0; i < count; i++) {
        size_t usable = mi_usable_size(blocks[i]);
        if (usable == 0) continue; /* a guarded block of no bytes */
        CHECK_EQ(blocks[i][0], 0xEE);
        CHECK_EQ(blocks[i][usable - 1], 0xEE);
      }
      for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
    }
    mi_collect(true);
  }
}

static void posix(void) {
  char mark;
  void* p = &mark;
  static const size_t bad[] = {0, 1, 2, 4, 3, 24, 100, SIZE_MAX, (size_t)PTRDIFF_MAX};
  errno = 7;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    CHECK_EQ(mi_posix_memalign(&p, bad[i], 100), EINVAL);
    CHECK_PTR(p, ==, &mark);
  }
  CHECK_EQ(mi_posix_memalign(&p, 64, PTRDIFF_MAX), ENOMEM);
  CHECK_EQ(mi_posix_memalign(&p, 64, SIZE_MAX), ENOMEM);
  CHECK_EQ(mi_posix_memalign(NULL, 64, 1), EINVAL);
  CHECK_PTR(p, ==, &mark);
  CHECK_EQ(mi_posix_memalign(&p, 4096, 0), 0);
  check_block(p, 0, 4096, 0);
  mi_free(p);
  CHECK_EQ(errno, 7);
}

/* Alignments that the compiler must not see. */
static volatile size_t odd = 48;
static volatile size_t none = 0;

static void others(void) {
  size_t page = 4096;
  void* p = mi_aligned_alloc(64, 100); /* not a multiple: allowed */
  check_block(p, 100, 64, 0);
  mi_free(p);
  p = mi_memalign(256, 1);
  check_block(p, 1, 256, 0);
  mi_free(p);
  p = mi_valloc(10);
  check_block(p, 10, page, 0);
  mi_free(p);
  p = mi_pvalloc(page + 1);
  check_block(p, 2 * page, page, 0);
  mi_free(p);
  p = mi_calloc_aligned(10, 100, 128);
  CHECK(is_all_zero(p, 1000));
  check_block(p, 1000, 128, 0);
  mi_free(p);
  errno = 0;
  CHECK_PTR(mi_aligned_alloc(odd, 100), ==, NULL);
  CHECK_EQ(errno, EINVAL);
  errno = 0;
  CHECK_PTR(mi_malloc_aligned(10, none), ==, NULL);
  CHECK_EQ(errno, EINVAL);
  errno = 0;
  CHECK_PTR(mi_realloc_aligned(NULL, 10, odd), ==, NULL);
  CHECK_EQ(errno, EINVAL);
}

/* From 100 bytes to what is larger than `largest`, and back. */
static void realloc_keeps_contents(size_t align, size_t largest) {
  size_t size = 100;
  uint8_t* p = mi_malloc_aligned(size, align);
  pattern_fill(p, size, align);
  for (bool grows = true; grows || size > 100; grows = grows && size <= largest) {
    size_t next = grows ? size * 7 : size / 7;
    p = mi_realloc_aligned(p, next, align);
    CHECK(p != NULL);
    CHECK_EQ((uintptr_t)p % align, 0);
    CHECK(pattern_holds_prefix(p, next < size ? next : size, size, align));
    size = next;
    pattern_fill(p, size, align);
  }
  mi_free(p);
}

static void at_offsets(void) {
  for (size_t align = 16; align <= MI_ALIGNMENT_MAX; align *= 4) {
    size_t offset = align + 40;
    uint8_t* p = mi_calloc_aligned_at(10, 100, align, offset);
    CHECK(is_all_zero(p, 1000));
    check_block(p, 1000, align, offset);
    size_t size = mi_usable_size(p);
    if (size > 2000) size = 1000;
    for (int i = 0; i < 8; i++) {
      pattern_fill(p, size, align);
      size_t next = i < 5 ? size * 5 + 1 : size / 6;
      p = mi_realloc_aligned_at(p, next, align, offset);
      CHECK(p != NULL);
      CHECK_EQ(((uintptr_t)p + offset) % align, 0);
      CHECK_CMP(mi_usable_size(p), >=, next);
      CHECK(pattern_holds_prefix(p, next < size ? next : size, size, align));
      size = next;
    }
    mi_free(p);
  }
}

/* Also where small blocks are there to be popped. */
static void nothing(void) {
  enum { COUNT = 20 };
  void* small[COUNT];
  for (int i = 0; i < COUNT; i++) small[i] = mi_malloc(8);
  for (int i = 0; i < COUNT; i++) mi_free(small[i]);
  for (int i = 0; i < COUNT; i++) {
    small[i] = mi_malloc_aligned(0, 64);
    CHECK_EQ((uintptr_t)small[i] % 64, 0);
  }
  for (int i = 0; i < COUNT; i++) {
    CHECK_PTR(mi_realloc_aligned(small[i], 0, 64), ==, small[i]);
    mi_free(small[i]);
  }
}

int main(void) {
  every_alignment();
  nothing();
  at_offsets();
  posix();
  others();
  for (size_t align = 16; align <= 8 * MIB; align *= 2) {
    realloc_keeps_contents(align, align == 16 || align == 8 * MIB ? 20 * MIB : MIB);
  }
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
