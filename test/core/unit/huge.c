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
#define KIB ((size_t)1 << 10)

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

/* Memory that waits goes, as much of it as the process would grow otherwise. Comes first: what the
   process was at its largest is not forgotten. */
static void no_higher_peak(void) {
  mi_page_t* beside = mi_huge_page_alloc(NULL, 20 * MIB, 1, 0);
  keep(50 * MIB);
  int64_t most = memory_gauges().committed + (int64_t)MIB; /* it answers to no less */
  mi_page_t* pages[3];
  for (int i = 0; i < 3; i++) {
    pages[i] = mi_huge_page_alloc(NULL, 10 * MIB, 1, 0);
    CHECK_CMP(memory_gauges().committed, <=, most);
    CHECK_CMP(memory_gauges().committed, >, most - (int64_t)MI_SEGMENT_SIZE - (int64_t)MIB);
  }
  size_t kept = mi_huge_cache_size();
  mi_huge_page_free(pages[2]);
  pages[2] = mi_huge_page_alloc(NULL, 10 * MIB, 1, 0); /* used memory is used again */
  CHECK_EQ(mi_huge_cache_size(), kept);
  /* A block that grows where it is. */
  beside = mi_huge_page_resize(beside, 31 * MIB, false);
  CHECK(beside != NULL);
  CHECK_CMP(memory_gauges().committed, <=, most);
  for (int i = 0; i < 3; i++) mi_huge_page_free(pages[i]);
  freed(beside);

  /* Units that were dirty at the last look. */
  mi_page_t* page = mi_huge_page_alloc(NULL, 30 * MIB, 1, 0);
  mi_huge_page_free(page);
  mi_purge_budget_t all = {SIZE_MAX};
  mi_purge_round(mi_purge_time(1), &all);
  CHECK_CMP(memory_gauges().committed, >, 30 * MIB);
  page = mi_huge_page_alloc(NULL, 150 * MIB, 1, 0);
  CHECK_EQ(memory_gauges().committed, (int64_t)mi_segment_of(page)->huge_size);
  freed(page);
}

static void kept_as_it_is(void) {
  mi_segment_t* kept = keep(50 * MIB);
  size_t size = mi_huge_cache_size();
  CHECK_CMP(size, >, 50 * MIB);
  mi_page_t* page = take(47 * MIB, kept);
  CHECK_EQ(kept->huge_size, size);
  freed(page);
  /* One that is aligned to a segment can be no run, however short it is. */
  for (int i = 0; i < 3; i++) {
    page = mi_huge_page_alloc(NULL, 8 * MIB, MI_SEGMENT_SIZE, 0);
    memset(page->start, 1, page->block_size);
    if (i > 0) CHECK_PTR(mi_segment_of(page), ==, kept);
    CHECK_EQ(mi_huge_cache_size(), 0);
    kept = mi_segment_of(page);
    mi_huge_page_free(page);
  }
  mi_purge_all();
}

static void kept_and_cut(void) {
  mi_segment_t* kept = keep(50 * MIB);
  size_t size = mi_huge_cache_size();
  int64_t committed = memory_gauges().committed;
  mi_page_t* page = mi_huge_page_alloc(NULL, 33 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(page), ==, kept);
  CHECK_CMP(kept->huge_size, <=, 36 * MIB);
  /* The rest stays, but for what lies before the next segment boundary. */
  CHECK_EQ(mi_huge_cache_size(), size - 36 * MIB);
  CHECK_EQ(memory_gauges().committed, committed - (int64_t)(36 * MIB - kept->huge_size));
  mi_purge_budget_t none = {0};
  CHECK_CMP(mi_huge_cache_drop_due(0, &none), >, 0); /* and goes with time */
  /* It is used, too. */
  mi_page_t* other = mi_huge_page_alloc(NULL, 34 * MIB, 1, 0);
  CHECK_EQ(mi_huge_cache_size(), 0);
  mi_purge_budget_t all = {SIZE_MAX};
  mi_huge_page_free(other);
  mi_huge_cache_drop(&all);
  freed(page);
  /* No rest is left where that is too short. */
  page = take(47 * MIB, keep(50 * MIB));
  freed(page);
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
  int64_t reserved = memory_gauges().reserved;
  bool got_it = false;
  for (unsigned long n = 1; !got_it; n++) {
    keep(50 * MIB);
    mi_os_fail_from(n);
    mi_page_t* page = mi_huge_page_alloc(NULL, 600 * MIB, 1, 0);
    got_it = mi_os_fail_from(0) < n;
    CHECK_EQ(mi_huge_cache_size(), 0);
    if (page != NULL) mi_huge_page_free(page);
    CHECK_EQ(memory_gauges().committed, 0);
    CHECK_EQ(memory_gauges().reserved, reserved);
  }
  keep(50 * MIB);
  mi_option_enable(mi_option_disallow_os_alloc);
  CHECK_PTR(mi_huge_page_alloc(NULL, 60 * MIB, 1, 0), ==, NULL);
  mi_option_disable(mi_option_disallow_os_alloc);
  mi_purge_all();
}

/* Blocks of one size that come and go together keep their mappings, in whatever order they are freed. */
static void the_same_again(void) {
  mi_page_t* pages[2];
  mi_segment_t* segments[2] = {NULL, NULL};
  for (int cycle = 0; cycle < 4; cycle++) {
    for (int i = 0; i < 2; i++) {
      pages[i] = mi_huge_page_alloc(NULL, 40 * MIB, 1, 0);
      /* Where the system happened to map them in another order, they change places once. */
      if (cycle > 1) CHECK_PTR(mi_segment_of(pages[i]), ==, segments[i]);
      segments[i] = mi_segment_of(pages[i]);
    }
    if (cycle > 0) CHECK_CMP((uintptr_t)segments[0], >, (uintptr_t)segments[1]);
    for (int i = 0; i < 2; i++) mi_huge_page_free(pages[cycle % 2 == 0 ? i : 1 - i]);
  }
  mi_purge_all();
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
  size_t kept = mi_huge_cache_size();
  pages[0] = mi_huge_page_alloc(NULL, 70 * MIB, 1, 0);
  CHECK_CMP(kept - mi_huge_cache_size(), >=, 60 * MIB);
  pages[1] = mi_huge_page_alloc(NULL, 33 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(pages[1]), ==, segments[1]);
  CHECK_EQ(mi_huge_cache_size(), 0);
  for (int i = 0; i < 3; i++) mi_huge_page_free(pages[i]);
  freed(medium);
}

static void as_much_as_is_kept(void) {
  mi_page_t* page = mi_huge_page_alloc(NULL, 150 * MIB, 1, 0);
  mi_page_t* other = mi_huge_page_alloc(NULL, 100 * MIB, 1, 0);
  mi_page_t* third = mi_huge_page_alloc(NULL, 40 * MIB, 1, 0);
  mi_huge_page_free(page);
  mi_huge_page_free(other);
  size_t kept = mi_huge_cache_size();
  CHECK_CMP(kept, >, 250 * MIB);
  mi_huge_page_free(third);
  CHECK_EQ(mi_huge_cache_size(), kept);
  mi_purge_all();
}

static void dropped_in_parts(void) {
  int64_t now = mi_os_now();
  keep(50 * MIB);
  size_t kept = mi_huge_cache_size();
  mi_purge_budget_t budget = {32};
  mi_huge_cache_drop(&budget);
  CHECK_EQ(budget.units, 0);
  CHECK_EQ(kept - mi_huge_cache_size(), MI_SEGMENT_SIZE);
  /* What is due goes on in a moment; what is not due yet stays. */
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

/* Runs are placed where memory waits, not where none was touched. */
static void in_used_memory(void) {
  mi_page_t* first = mi_huge_page_alloc(NULL, 11 * MIB, 1, 0);
  mi_page_t* second = mi_huge_page_alloc(NULL, 19 * MIB, 1, 0);
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_of(first));
  mi_segment_t* at = mi_segment_of(second);
  CHECK_PTR(at->chunk, ==, slot.chunk);
  CHECK_CMP(at->slot_index, >, slot.index);
  mi_huge_page_free(first);
  mi_purge_all();
  mi_huge_page_free(second);
  first = mi_huge_page_alloc(NULL, 11 * MIB, 1, 0);
  CHECK_PTR(mi_segment_of(first), ==, at);
  freed(first);
}

static bool is_resident(uint8_t* p) {
  unsigned char page;
  CHECK(mi_os_resident((void*)mi_align_down((uintptr_t)p, mi_os_page_size()), 1, &page));
  return (page & 1) != 0;
}

static void all_zero(uint8_t* p, size_t size) {
  for (size_t i = 0; i < size; i += 1000) CHECK_EQ(p[i], 0);
  CHECK_EQ(p[size - 1], 0);
}

static size_t resident_in(uint8_t* p, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; i += 64 * KIB) count += is_resident(p + i);
  return count * 64 * KIB;
}

/* Does `fn` to each piece of 64 KiB of which `share` in a hundred are used, here and there. */
static void for_used(uint8_t* p, size_t size, size_t share, void (*fn)(uint8_t* p, size_t size)) {
  for (size_t i = 0; i < size / (64 * KIB); i++) {
    if (i * 37 % 100 < share) fn(p + i * 64 * KIB, 64 * KIB);
  }
}

static void use(uint8_t* p, size_t size) { memset(p, 1, size); }

/* A block of which a part is used each time, scattered or in one piece, has at most twice that memory. It is not
   read elsewhere: what was read counts as resident, too. */
static void used_in_part(size_t size) {
  if (MI_DEBUG > 0) return; /* debug builds fill each block */
  static const size_t shares[] = {5, 20, 30};
  for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
    size_t used = size / 100 * shares[i];
    uint8_t* p = mi_zalloc(size);
    for (size_t round = 0; round < 6; round++) {
      for_used(p, size, shares[i], use);
      mi_free(p);
      p = mi_zalloc(size);
      CHECK_CMP(resident_in(p, size), <=, 2 * used + 2 * MIB);
      for_used(p, size, shares[i], all_zero);
      mi_free(p);
      p = mi_zalloc(size);
      use(p + round % 2 * (size / 2), used);
      mi_free(p);
      p = mi_zalloc(size);
      CHECK_CMP(resident_in(p, size), <=, 2 * used + 2 * MIB);
      all_zero(p + round % 2 * (size / 2), used);
    }
    mi_free(p);
    mi_purge_all();
  }
  /* What is dense is cleared, and stays; what is not goes. */
  uint8_t* p = mi_malloc(size);
  use(p, size / 4 * 3);
  mi_free(p);
  p = mi_zalloc(size);
  CHECK_CMP(resident_in(p, size), <=, size / 4 * 3 + 2 * MIB);
  CHECK_CMP(resident_in(p, size), >=, size / 4 * 3 - 2 * MIB);
  all_zero(p, size);
  mi_free(p);
  mi_purge_all();
}

/* What the system does not take back is cleared. */
static void locked(void) {
  enum { LOCKED = 64 * KIB };
  uint8_t* p = mi_malloc(20 * MIB);
  use(p, LOCKED);
  if (mlock(p, LOCKED) != 0) return; /* more than the limit on locked memory */
  mi_free(p);
  uint8_t* q = mi_zalloc(20 * MIB);
  CHECK_PTR(q, ==, p);
  all_zero(q, LOCKED);
  CHECK_EQ(munlock(p, LOCKED), 0);
  mi_free(q);
  mi_purge_all();
}

/* calloc clears what was written, and does not bring in what was not. */
static void cleared(void) {
  mi_free(mi_malloc(1)); /* the heap begins */
  keep(50 * MIB);
  uint8_t* p = mi_zalloc(300 * MIB);
  if (mi_segment_of(mi_page_of(p))->chunk == NULL) CHECK_EQ(mi_huge_cache_size(), 0);
  for (size_t i = 60; i < 300; i++) CHECK(!is_resident(p + i * MIB));
  all_zero(p, 60 * MIB);
  mi_free(p);
  mi_purge_all();
  static const size_t sizes[] = {20 * MIB, 60 * MIB};
  for (int i = 0; i < 2; i++) {
    size_t size = sizes[i];
    p = mi_malloc(size);
    p[0] = p[size / 2 + 100000] = p[size - 1] = 1;
    mi_free(p);
    p = mi_zalloc(size);
    if (MI_DEBUG == 0) CHECK(!is_resident(p + size / 3)); /* debug builds fill each block */
    all_zero(p, size);
    memset(p, 1, size);
    mi_free(p);
    p = mi_zalloc(size);
    all_zero(p, size);
    mi_free(p);
    mi_purge_all();
  }
}

static void too_much(void) {
  CHECK_PTR(mi_huge_page_alloc(NULL, PTRDIFF_MAX, 1, 0), ==, NULL);
  CHECK_PTR(mi_huge_page_alloc(NULL, SIZE_MAX, 1, 0), ==, NULL);
  CHECK_PTR(mi_huge_page_alloc(NULL, 1, (size_t)1 << 62, 0), ==, NULL);
}

int main(void) {
  mi_os_forbid_large_pages(); /* these tests look at single pages */
  /* Before blocks that are written all over: after these the system gives large pages. */
  used_in_part(20 * MIB);
  used_in_part(60 * MIB);
  locked();
  no_higher_peak();
  layouts();
  resizing();
  resizing_fails();
  kept_as_it_is();
  kept_and_cut();
  kept_and_made_longer();
  the_system_refuses();
  the_same_again();
  the_nearest();
  as_much_as_is_kept();
  dropped_in_parts();
  in_used_memory();
  cleared();
  too_much();
  return 0;
}
