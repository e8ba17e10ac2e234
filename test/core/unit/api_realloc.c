/* Resizing: in place, moving, failing. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/os.h"
#include "os/rare.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)

static void in_place(void) {
  uint8_t* p = mi_malloc(1000);
  size_t usable = mi_usable_size(p);
  CHECK_PTR(mi_realloc(p, usable), ==, p);
  if (!MI_GUARDED) CHECK_PTR(mi_realloc(p, usable - usable / 4), ==, p);
  CHECK_PTR(mi_expand(p, usable), ==, p);
  errno = 7;
  CHECK_PTR(mi_expand(p, usable + 1), ==, NULL);
  CHECK_PTR(mi_expand(NULL, 0), ==, NULL);
  CHECK_PTR(mi_expand(NULL, 1), ==, NULL);
  CHECK_EQ(errno, 7);
  /* A block that became mostly empty moves to a smaller one. */
  pattern_fill(p, usable, 5);
  p = mi_realloc(p, 20);
  CHECK(pattern_holds_prefix(p, 20, usable, 5));
  CHECK_CMP(mi_usable_size(p), <, 100);
  mi_free(p);
}

static void moving(void) {
  size_t size = 1;
  uint8_t* p = mi_realloc(NULL, size);
  pattern_fill(p, size, 0);
  for (uint64_t seed = 1; size < 64 * MIB; seed++) {
    size_t next = size + size / 3 + 1;
    p = mi_realloc(p, next);
    CHECK(p != NULL);
    CHECK_CMP(mi_usable_size(p), >=, next);
    CHECK(pattern_holds(p, size, seed - 1));
    size = next;
    pattern_fill(p, size, seed);
  }
  p = mi_realloc(p, 0);
  CHECK(p != NULL);
  CHECK_CMP(mi_usable_size(p), <=, 16);
  mi_free(p);
}

/* Huge blocks grow without a copy: the pages move, and no second set of them becomes resident. */
static void huge_by_remapping(void) {
  size_t size = 64 * MIB;
  uint8_t* p = mi_malloc(size);
  for (size_t i = 0; i < size; i += 4096) p[i] = (uint8_t)(i >> 12);
  mi_stats_reset();
  size_t before = memory_resident();
  p = mi_realloc(p, 200 * MIB);
  CHECK(p != NULL);
  if (TEST_SLOWNESS == 1) CHECK_CMP(memory_resident(), <, before + 8 * MIB);
  for (size_t i = 0; i < size; i += 4096) CHECK_EQ(p[i], (uint8_t)(i >> 12));
  p = mi_realloc(p, 10 * MIB);
  if (TEST_SLOWNESS == 1) CHECK_CMP(memory_resident(), <, before);
  CHECK_CMP(mi_usable_size(p), <, 11 * MIB);
  for (size_t i = 0; i < 10 * MIB; i += 4096) CHECK_EQ(p[i], (uint8_t)(i >> 12));
  mi_free(p);
}

static void failing(size_t size, size_t newsize) {
  uint8_t* p = mi_malloc(size);
  pattern_fill(p, size, size);
  mi_os_fail_from(1);
  errno = 0;
  CHECK_PTR(mi_realloc(p, newsize), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  errno = 0;
  CHECK_PTR(mi_realloc_aligned(p, newsize, 1 << 16), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  mi_os_fail_from(0);
  CHECK(pattern_holds(p, size, size));
  mi_free(p);
}

/* No machine has so many addresses; and looking for them must not cost any. */
static void absurd(size_t size) {
  enum { LOGS = 63, STEP = 6 * MIB };
  char* p = mi_malloc(size);
  memset(p, 7, size);
  int64_t reserved = memory_gauges().reserved;
  for (unsigned log = 48; log < LOGS; log++) {
    for (size_t more = 0; more < 4 * (size_t)STEP; more += STEP) {
      errno = 0;
      CHECK_PTR(mi_realloc(p, ((size_t)1 << log) + more), ==, NULL);
      CHECK_EQ(errno, ENOMEM);
      CHECK_PTR(mi_expand(p, ((size_t)1 << log) + more), ==, NULL);
    }
  }
  CHECK_EQ(p[0], 7);
  CHECK_EQ(p[size - 1], 7);
  CHECK_CMP(memory_gauges().reserved, <=, reserved);
  mi_free(p);
}

/* The old block stays with mi_realloc, and goes with mi_reallocf. */
static void reallocf(void) {
  mi_collect(true);
  int64_t committed = memory_gauges().committed;
  void* p = mi_malloc(3 * MIB);
  CHECK_PTR(mi_reallocf(p, (size_t)PTRDIFF_MAX), ==, NULL);
  mi_collect(true);
  CHECK_EQ(memory_gauges().committed, committed);
  p = mi_reallocf(NULL, 10);
  p = mi_reallocf(p, 100);
  CHECK_CMP(mi_usable_size(p), >=, 100);
  mi_free(p);
}

static void counts(void) {
  uint64_t* p = mi_reallocn(NULL, 10, 8);
  p[9] = 9;
  p = mi_reallocn(p, 1000, 8);
  CHECK_EQ(p[9], 9);
  p = mi_reallocarray(p, 10, 8);
  CHECK_EQ(p[9], 9);
  mi_free(p);
}

/* What is small and grows by little gets a quarter more than it had. */
static void growing_slowly(void) {
  if (TEST_VARIANT_CHECKED || MI_GUARDED) return; /* builds that check more do not */
  void* p = mi_malloc(100);
  size_t moves = 0;
  for (size_t size = 100; size < 1000; size += 4) {
    void* next = mi_realloc(p, size);
    moves += next != p;
    p = next;
  }
  CHECK_CMP(moves, <, 14); /* of 25 classes */
  mi_free(p);
}

int main(void) {
  growing_slowly();
  in_place();
  moving();
  huge_by_remapping();
  failing(100, 300 * MIB);
  failing(3 * MIB, 300 * MIB);
  failing(100000, (size_t)PTRDIFF_MAX);
  failing(3 * MIB, (size_t)PTRDIFF_MAX + 1);
  static const size_t sizes[] = {100, 20000, 100000, MIB, 5 * MIB, 40 * MIB};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) absurd(sizes[i]);
  reallocf();
  counts();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
