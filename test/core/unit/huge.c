/* Huge segments: layout, resizing, the cache of mappings. */
#include "segment/huge.h"

#include <sys/mman.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "pattern.h"
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
}

static void cache(void) {
  mi_page_t* page = mi_huge_page_alloc(NULL, 50 * MIB, 1, 0);
  mi_segment_t* segment = mi_segment_of(page);
  CHECK(page->memory_is_zero);
  uint8_t* start = page->start;
  memset(start, 1, 50 * MIB);
  mi_huge_page_free(page);
  CHECK_PTR(mi_segment_find(start), ==, NULL);
  /* Not for one that would waste more than an eighth of it. */
  mi_page_t* small = mi_huge_page_alloc(NULL, 40 * MIB, 1, 0);
  CHECK(mi_segment_of(small) != segment);
  mi_page_t* again = mi_huge_page_alloc(NULL, 47 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(again), ==, segment);
  CHECK(!again->memory_is_zero);
  CHECK_CMP(again->block_size, <, 50 * MIB);
  mi_huge_page_free(again);
  mi_huge_page_free(small);
  mi_purge_all();
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
  cache();
  too_much();
  return 0;
}
