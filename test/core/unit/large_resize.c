/* Blocks with a page for themselves, in a segment with others: they change their size where they are, if what
   lies behind them is free. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "page/size_class.h"
#include "pattern.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/segment.h"

enum { KIB = 1024, LEAST = 100 * KIB, MOST = 2 * KIB * KIB };

static uint8_t* resized(uint8_t* p, size_t size, size_t newsize, uint64_t seed) {
  uint8_t* q = mi_realloc(p, newsize);
  CHECK(q != NULL);
  CHECK_CMP(mi_usable_size(q), >=, newsize);
  CHECK(pattern_holds_prefix(q, newsize < size ? newsize : size, size, seed));
  const mi_page_t* page = mi_page_of(q);
  CHECK_EQ(page->bin, mi_bin_of(page->block_size));
  /* It is found from wherever in the block, and from nowhere else. */
  CHECK_PTR(mi_page_of(q + newsize - 1), ==, page);
  if (mi_page_map_units > 0) {
    CHECK_PTR(mi_page_map_at(mi_page_map_unit(q + newsize - 1)), ==, page);
    CHECK_PTR(mi_page_map_at(mi_page_map_unit(q + page->block_size + MI_UNIT_SIZE)), !=, page);
  }
  memory_check();
  heaps_check();
  return q;
}

static size_t size_of(const uint8_t* p) { return mi_page_of(p)->block_size; }

static void grows_and_shrinks(void) {
  uint8_t* p = mi_malloc(LEAST);
  size_t size = LEAST;
  pattern_fill(p, size, size);
  while (size < MOST) {
    size_t next = size + size / 3 < MOST ? size + size / 3 : MOST;
    CHECK_PTR(resized(p, size, next, size), ==, p);
    size = next;
    pattern_fill(p, size, size);
  }
  CHECK_CMP(size_of(p), >=, MOST);
  CHECK_PTR(resized(p, size, LEAST, size), ==, p);
  CHECK_CMP(size_of(p), <, LEAST + LEAST / 4);
  /* What it gave up is there for others. */
  uint8_t* behind = mi_malloc(LEAST);
  CHECK_CMP(behind, >, p);
  CHECK_CMP(behind, <, p + MOST);
  memset(behind, 1, LEAST);
  CHECK(pattern_holds_prefix(p, LEAST, size, size));
  mi_free(behind);
  mi_free(p);
}

/* Where another page follows, the block moves. */
static void moves(void) {
  uint8_t* p = mi_malloc(LEAST);
  uint8_t* behind = mi_malloc(LEAST);
  CHECK_CMP(behind, >, p);
  pattern_fill(p, LEAST, 1);
  pattern_fill(behind, LEAST, 2);
  uint8_t* moved = resized(p, LEAST, 4 * LEAST, 1);
  CHECK_PTR(moved, !=, p);
  CHECK(pattern_holds(behind, LEAST, 2));
  mi_free(moved);
  mi_free(behind);
}

/* What lies behind the old size of a block that was zero is zero. */
static void zeroed(bool dirty) {
  if (dirty) {
    uint8_t* before = mi_malloc(MOST);
    memset(before, 0xff, MOST);
    mi_free(before);
  } else {
    mi_collect(true);
    mi_purge_all();
  }
  uint8_t* p = mi_zalloc(LEAST);
  for (size_t size = 2 * LEAST; size < MOST; size *= 2) {
    CHECK_PTR(mi_rezalloc(p, size), ==, p);
    CHECK(is_all_zero(p, size));
    memset(p, 0, mi_usable_size(p));
  }
  mi_free(p);
}

/* What was given up and is gained again is zero too, and so is the rest of the unit at which it was given up. */
static void zeroed_again(size_t longer, size_t shorter) {
  uint8_t* p = mi_zalloc(longer);
  memset(p, 0xee, longer);
  CHECK_PTR(mi_rezalloc(p, shorter), ==, p);
  mi_purge_all();
  CHECK_PTR(mi_rezalloc(p, longer - 8 * KIB), ==, p);
  CHECK(is_all_zero(p + shorter, mi_usable_size(p) - shorter));
  mi_free(p);
}

static void zeroed_in_a_unit(void) {
  uint8_t* before = mi_malloc(64 * KIB);
  memset(before, 0xee, 64 * KIB);
  mi_free(before);
  uint8_t* p = mi_zalloc(36 * KIB);
  CHECK_PTR(p, ==, before);
  CHECK_PTR(mi_rezalloc(p, 60 * KIB), ==, p);
  CHECK(is_all_zero(p, mi_usable_size(p)));
  mi_free(p);
}

/* One that was handed out inside of its block stays there too. `size`: what it grows to. */
static void inside(size_t size) {
  enum { ALIGNMENT = 16 * KIB, OFFSET = 16 };
  mi_collect(true); /* no page that the heap keeps lies behind it */
  uint8_t* p = mi_malloc_aligned_at(LEAST, ALIGNMENT, OFFSET);
  CHECK_PTR(p, !=, mi_page_of(p)->start);
  pattern_fill(p, LEAST, 3);
  uint8_t* q = mi_realloc_aligned_at(p, size, ALIGNMENT, OFFSET);
  CHECK_EQ(q == p, size <= MOST - ALIGNMENT);
  CHECK_CMP(mi_usable_size(q), >=, size);
  CHECK(pattern_holds(q, LEAST, 3));
  memset(q, 1, size);
  memory_check();
  mi_free(q);
}

static void in_thread(void* (*fn)(void*), void* arg, void** result) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  pthread_join(thread, result);
}

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

static void freed_by_another_thread(void) {
  uint8_t* p = mi_malloc(LEAST);
  p = mi_realloc(p, 5 * LEAST);
  in_thread(free_it, p, NULL);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
}

/* A block of another thread is copied, whether that has ended or not. */
static void* grow_it(void* p) {
  uint8_t* q = mi_realloc(p, 5 * LEAST);
  CHECK_PTR(q, !=, p);
  CHECK(pattern_holds(q, LEAST, 4));
  return q;
}

static void grown_by_another_thread(void) {
  uint8_t* p = mi_malloc(LEAST);
  pattern_fill(p, LEAST, 4);
  void* q;
  in_thread(grow_it, p, &q);
  p = mi_realloc(q, 10 * LEAST);
  CHECK_PTR(p, !=, q);
  CHECK(pattern_holds(p, LEAST, 4));
  mi_free(p);
}

/* ---- A block that grew may be less aligned than others of its class: its page never serves another ---- */

enum { ALIGNED = 128 * KIB };

/* NULL: in the heap of the thread. */
static void* make_unaligned(void* in) {
  mi_collect(true); /* what the thread keeps does not change where the next page begins */
  mi_heap_t* heap = in == NULL ? mi_heap_get_default() : in;
  uint8_t* p = mi_heap_malloc(heap, 80 * KIB);
  CHECK_CMP((uintptr_t)p % ALIGNED, !=, 0);
  CHECK_PTR(mi_heap_realloc(heap, p, ALIGNED), ==, p);
  return p;
}

static void check_next(void) {
  void* p = mi_malloc_aligned(ALIGNED, ALIGNED);
  uintptr_t address = (uintptr_t)p;
  __asm__ volatile("" : "+r"(address)); /* or the compiler takes it for granted */
  CHECK_EQ(address % ALIGNED, 0);
  mi_free(p);
  memory_check();
  heaps_check();
}

static void unaligned_and_adopted(void) {
  void* p;
  in_thread(make_unaligned, NULL, &p);
  mi_collect(true);
  CHECK_PTR(mi_page_of(p)->heap, ==, mi_heap_get_backing());
  heaps_check();
  in_thread(free_it, p, NULL);
  check_next();
}

static bool free_in_visit(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                          size_t size, void* p) {
  (void)heap, (void)area, (void)size;
  if (block == NULL || block != *(void**)p) return true;
  *(void**)p = NULL;
  mi_free(block);
  check_next();
  return true;
}

static void unaligned_and_absorbed(bool visit) {
  mi_heap_t* heap = mi_heap_new();
  void* p = make_unaligned(heap);
  mi_heap_delete(heap);
  heaps_check();
  if (visit) {
    CHECK(mi_heap_visit_blocks(mi_heap_get_default(), true, free_in_visit, &p));
    CHECK_PTR(p, ==, NULL);
  } else {
    in_thread(free_it, p, NULL);
  }
  check_next();
}

static bool
grow(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)size;
  uint8_t** p = arg;
  if (block == *p) *p = mi_realloc(*p, 4 * LEAST);
  return true;
}

/* While a heap is visited, its pages stay as they are. */
static void visited(void) {
  uint8_t* p = mi_malloc(LEAST);
  uint8_t* before = p;
  pattern_fill(p, LEAST, 5);
  CHECK(mi_heap_visit_blocks(mi_heap_get_default(), true, grow, &p));
  CHECK_PTR(p, !=, before);
  CHECK(pattern_holds(p, LEAST, 5));
  mi_free(p);
}

/* It moves if where it is has another alignment. */
static void aligned(void) {
  enum { COUNT = 4 };
  for (int i = 0; i < COUNT; i++) {
    uint8_t* p = mi_malloc(LEAST);
    pattern_fill(p, LEAST, 6);
    p = mi_realloc_aligned(p, 3 * LEAST, 1024 * KIB);
    CHECK_EQ((uintptr_t)p % (1024 * KIB), 0);
    CHECK(pattern_holds(p, LEAST, 6));
    mi_free(p);
  }
}

int main(void) {
  grows_and_shrinks();
  aligned();
  moves();
  zeroed(true);
  zeroed(false);
  zeroed_again(192 * KIB, 72 * KIB);
  zeroed_again(80 * KIB, 36 * KIB); /* to less than a unit */
  zeroed_in_a_unit();
  static const size_t sizes[] = {LEAST,           128 * KIB,      129 * KIB, 512 * KIB,
                                 MOST - 16 * KIB, MOST - 8 * KIB, MOST};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) inside(sizes[i]);
  freed_by_another_thread();
  grown_by_another_thread();
  visited();
  unaligned_and_adopted();
  unaligned_and_absorbed(false);
  unaligned_and_absorbed(true);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
