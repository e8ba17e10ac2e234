/* Huge segments: layout, resizing, the mappings that are kept for a while. */
#include "segment/huge.h"

#include <sys/mman.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "pattern.h"
#include "segment/huge_cache.h"
#include "segment/purge.h"

#define MIB ((size_t)1 << 20)

static void layout(size_t size, size_t align, size_t offset) {
  mi_page_t* page = mi_huge_page_alloc(NULL, size, align, offset);
  CHECK(page != NULL);
  mi_segment_t* segment = mi_segment_of(page);
  uintptr_t start = (uintptr_t)page->start;
  uintptr_t x = mi_align_up(start + offset, align) - offset;
  CHECK_EQ((x + offset) % align, 0);
  CHECK_EQ(start % MI_MAX_ALIGN, 0);
  CHECK_CMP(x - start, <, MI_MAX_ALIGN); /* nothing is wasted between */
  CHECK_CMP(x + size, <=, start + page->block_size);
  CHECK_CMP(start + page->block_size, <=, (uintptr_t)segment + segment->huge_size);
  CHECK_CMP(start, >=, (uintptr_t)segment + segment->header_size);
  CHECK_PTR(mi_page_of(page->start), ==, page);
  CHECK_PTR(mi_page_of((void*)x), ==, page);
  CHECK_EQ(page->reserved, 1);
  ((volatile uint8_t*)x)[0] = 1;
  ((volatile uint8_t*)x)[size - (size != 0)] = 1;
  mi_huge_page_free(page);
}

static void layouts(void) {
  static const size_t sizes[] = {0,           1,       4095,          4096,    2 * MIB,
                                 2 * MIB + 1, 4 * MIB, 5 * MIB - 100, 40 * MIB};
  static const size_t offsets[] = {0, 1, 8, 15, 16, 100, 4096, 3 * MIB + 7, 17 * MIB};
  for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
    for (size_t align = 1; align <= 1024 * MIB; align *= 2) {
      for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++) {
        layout(sizes[s], align, offsets[o]);
      }
      mi_purge_all();
    }
  }
}

static mi_page_t* resize(mi_page_t* page, size_t size, size_t kept, uint64_t seed, size_t filled) {
  uint8_t* before = page->start;
  mi_page_t* moved = mi_huge_page_resize(page, size, false);
  CHECK(moved != NULL);
  CHECK_CMP(moved->block_size, >=, size);
  CHECK_PTR(mi_page_of(moved->start), ==, moved);
  CHECK_EQ(mi_segment_of(moved)->cookie, mi_segment_cookie(mi_segment_of(moved)));
  if (moved != page) CHECK_PTR(mi_segment_find(before), ==, NULL);
  CHECK(pattern_holds_prefix(moved->start, kept, filled, seed));
  return moved;
}

static void resizing(void) {
  memory_t gauges = memory_gauges();
  size_t size = 3 * MIB;
  mi_page_t* page = mi_huge_page_alloc(NULL, size, 1, 0);
  pattern_fill(page->start, size, 1);
  page = resize(page, 9 * MIB, size, 1, size);
  pattern_fill(page->start, 9 * MIB, 2);
  /* Something in the way forces it to move. */
  mi_segment_t* segment = mi_segment_of(page);
  void* end = (uint8_t*)segment + segment->huge_size;
  void* wall = mmap(end, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(wall != MAP_FAILED);
  mi_page_t* moved = resize(page, 30 * MIB, 9 * MIB, 2, 9 * MIB);
  if (wall == end) CHECK(moved != page);
  CHECK_EQ(munmap(wall, 4096), 0);
  ((volatile uint8_t*)moved->start)[30 * MIB - 1] = 1;
  moved = resize(moved, 3 * MIB, 3 * MIB, 2, 9 * MIB);
  CHECK_CMP(mi_segment_of(moved)->huge_size, <, 4 * MIB);
  mi_huge_page_free(moved);
  mi_purge_all();
  CHECK_EQ(memory_gauges().reserved, gauges.reserved);
  CHECK_EQ(memory_gauges().committed, gauges.committed);
  CHECK_EQ(memory_gauges().huge, gauges.huge);
}

static void resizing_fails(void) {
  size_t size = 3 * MIB;
  mi_page_t* page = mi_huge_page_alloc(NULL, size, 1, 0);
  pattern_fill(page->start, size, 3);
  memory_t gauges = memory_gauges();
  mi_os_fail_from(1);
  CHECK_PTR(mi_huge_page_resize(page, 300 * MIB, false), ==, NULL);
  mi_os_fail_from(0);
  CHECK_EQ(memory_gauges().reserved, gauges.reserved);
  CHECK_EQ(memory_gauges().committed, gauges.committed);
  CHECK_PTR(mi_page_of(page->start), ==, page);
  CHECK(pattern_holds(page->start, size, 3));
  mi_huge_page_free(page);
  mi_purge_all();
}

/* Allocates and frees a block, so that its mapping is kept. */
static mi_segment_t* keep(size_t size) {
  mi_page_t* page = mi_huge_page_alloc(NULL, size, 1, 0);
  memset(page->start, 1, size);
  uint8_t* start = page->start;
  mi_segment_t* segment = mi_segment_of(page);
  CHECK_PTR(segment->chunk, ==, NULL);
  mi_huge_page_free(page);
  CHECK_PTR(mi_segment_find(start), ==, NULL);
  return segment;
}

static mi_page_t* take(size_t size, mi_segment_t* from) {
  mi_page_t* page = mi_huge_page_alloc(NULL, size, 1, 0);
  if (from != NULL) CHECK_PTR(mi_segment_of(page), ==, from);
  CHECK(!page->memory_is_zero);
  CHECK_CMP(page->block_size, >=, size);
  CHECK_CMP(page->block_size - size, <=, size / 8 + MIB);
  CHECK_PTR(mi_page_of(page->start), ==, page);
  page->start[0] = page->start[size - 1] = 2;
  CHECK_EQ(mi_huge_cache_size(), 0);
  CHECK_EQ(memory_gauges().committed, (int64_t)mi_segment_of(page)->huge_size);
  return page;
}

static void freed(mi_page_t* page) {
  mi_huge_page_free(page);
  mi_purge_all();
  CHECK_EQ(memory_gauges().committed, 0);
}

static void kept_as_it_is(void) {
  mi_segment_t* kept = keep(50 * MIB);
  CHECK_CMP(mi_huge_cache_size(), >, 50 * MIB);
  freed(take(47 * MIB, kept));
}

static void kept_and_cut(void) {
  mi_segment_t* kept = keep(50 * MIB);
  freed(take(40 * MIB, kept));
}

static void kept_and_made_longer(void) {
  int64_t reserved = memory_gauges().reserved;
  keep(50 * MIB);
  freed(take(60 * MIB, NULL));
  /* Something in the way forces it to move. */
  mi_segment_t* kept = keep(50 * MIB);
  void* end = (uint8_t*)kept + mi_huge_cache_size();
  void* wall = mmap(end, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(wall != MAP_FAILED);
  mi_page_t* page = take(60 * MIB, NULL);
  if (wall == end) CHECK(mi_segment_of(page) != kept);
  for (size_t i = 0; i < 49 * MIB; i += 4096) CHECK_EQ(page->start[i], i == 0 ? 2 : 1);
  CHECK_EQ(munmap(wall, 4096), 0);
  freed(page);
  CHECK_EQ(memory_gauges().reserved, reserved);
}

/* The block gets memory all the same, or there is none, and nothing is lost. */
static void the_system_refuses(void) {
  bool got_it = false;
  for (unsigned long n = 1; !got_it; n++) {
    keep(50 * MIB);
    mi_os_fail_from(n);
    mi_page_t* page = mi_huge_page_alloc(NULL, 600 * MIB, 1, 0);
    got_it = mi_os_fail_from(0) < n;
    CHECK_EQ(mi_huge_cache_size(), 0);
    if (page != NULL) mi_huge_page_free(page);
    CHECK_EQ(memory_gauges().committed, 0);
  }
}

static void the_nearest(void) {
  mi_page_t* pages[3];
  static const size_t sizes[] = {60, 36, 45};
  for (int i = 0; i < 3; i++) pages[i] = mi_huge_page_alloc(NULL, sizes[i] * MIB, 1, 0);
  mi_segment_t* segments[3];
  for (int i = 0; i < 3; i++) {
    segments[i] = mi_segment_of(pages[i]);
    mi_huge_page_free(pages[i]);
  }
  /* The shortest one that is long enough, else the longest; none for what fits into a run. */
  mi_page_t* medium = mi_huge_page_alloc(NULL, 30 * MIB, 1, 0);
  CHECK(mi_segment_of(medium)->chunk != NULL);
  pages[2] = mi_huge_page_alloc(NULL, 40 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(pages[2]), ==, segments[2]);
  pages[0] = mi_huge_page_alloc(NULL, 41 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(pages[0]), ==, segments[0]);
  pages[1] = mi_huge_page_alloc(NULL, 33 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(pages[1]), ==, segments[1]);
  CHECK_EQ(mi_huge_cache_size(), 0);
  for (int i = 0; i < 3; i++) mi_huge_page_free(pages[i]);
  freed(medium);
}

/* A kept mapping goes, as much of it as the process would grow otherwise. */
static void no_higher_peak(void) {
  mi_stats_reset(); /* peaks of other tests */
  mi_page_t* beside = mi_huge_page_alloc(NULL, 20 * MIB, 1, 0);
  keep(50 * MIB);
  size_t kept = mi_huge_cache_size();
  mi_page_t* page = mi_huge_page_alloc(NULL, 10 * MIB, 1, 0);
  CHECK_CMP(mi_huge_cache_size(), <=, kept - 10 * MIB);
  CHECK_CMP(mi_huge_cache_size(), >=, kept - 12 * MIB);
  kept = mi_huge_cache_size();
  mi_huge_page_free(page);
  page = mi_huge_page_alloc(NULL, 10 * MIB, 1, 0); /* used memory is used again */
  CHECK_EQ(mi_huge_cache_size(), kept);
  mi_huge_page_free(page);
  freed(beside);
}

static void dropped_in_parts(void) {
  keep(50 * MIB);
  size_t kept = mi_huge_cache_size();
  mi_purge_budget_t budget = {32};
  mi_huge_cache_drop(&budget);
  CHECK_EQ(budget.units, 0);
  CHECK_EQ(kept - mi_huge_cache_size(), MI_SEGMENT_SIZE);
  /* What is due goes on in a moment; what is not due yet stays. */
  int64_t now = mi_os_now();
  kept = mi_huge_cache_size();
  budget.units = 65;
  int64_t due = mi_huge_cache_drop_due(now, &budget);
  CHECK_EQ(mi_huge_cache_size(), kept);
  CHECK_EQ(mi_huge_cache_drop_due(due, &budget), mi_purge_later(due));
  CHECK_EQ(kept - mi_huge_cache_size(), 2 * MI_SEGMENT_SIZE);
  CHECK_EQ(mi_huge_cache_drop_due(mi_purge_later(due), &budget),
           mi_purge_later(mi_purge_later(due)));
  budget.units = SIZE_MAX;
  CHECK_EQ(mi_huge_cache_drop_due(due + 100, &budget), 0);
  CHECK_EQ(mi_huge_cache_size(), 0);
  CHECK_EQ(memory_gauges().committed, 0);
}

static void too_much(void) {
  CHECK_PTR(mi_huge_page_alloc(NULL, PTRDIFF_MAX, 1, 0), ==, NULL);
  CHECK_PTR(mi_huge_page_alloc(NULL, SIZE_MAX, 1, 0), ==, NULL);
  CHECK_PTR(mi_huge_page_alloc(NULL, 1, (size_t)1 << 62, 0), ==, NULL);
}

int main(void) {
  layouts();
  resizing();
  resizing_fails();
  kept_as_it_is();
  kept_and_cut();
  kept_and_made_longer();
  the_system_refuses();
  the_nearest();
  no_higher_peak();
  dropped_in_parts();
  too_much();
  return 0;
}
