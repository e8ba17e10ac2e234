/* Empty pages: the last one of a class is kept for a while, others go back at once. The classes are those
   that never borrow from others. */
#include "heap/heap.h"

#include "check.h"
#include "memory.h"

static mi_tld_t* tld(void) { return mi_heap_get()->tld; }

static size_t pages_of(size_t size) {
  mi_heap_t* heap = mi_heap_get_backing();
  unsigned bin = mi_bin_of(size);
  size_t count = 0;
  for (mi_page_t* page = heap->pages[bin].first; page != NULL; page = page->next) count++;
  for (mi_page_t* page = heap->pages[MI_BIN_FULL].first; page != NULL; page = page->next)
    count += page->bin == bin;
  return count;
}

static void alternate(size_t size) {
  mi_free(mi_malloc(size));
  int64_t taken = tld()->stats.pages.total;
  for (int i = 0; i < 1000; i++) {
    void* p = mi_malloc(size);
    CHECK(p != NULL);
    mi_free(p);
  }
  CHECK_EQ(tld()->stats.pages.total, taken);
}

/* Also when its page is the only one with room, beside full ones. */
static void alternate_beside_full(size_t size) {
  void* blocks[20000];
  size_t n = 0;
  blocks[n++] = mi_malloc(size);
  size_t per_page = mi_page_of(blocks[0])->reserved;
  while (n < per_page) blocks[n++] = mi_malloc(size);
  alternate(size);
  while (n > 0) mi_free(blocks[--n]);
}

static void several(size_t size) {
  void* blocks[10000];
  mi_collect(true);
  size_t n = 0;
  while (pages_of(size) < 6 && n < 10000) blocks[n++] = mi_malloc(size);
  CHECK_EQ(pages_of(size), 6);
  int64_t before = tld()->stats.pages.current;
  while (n > 0) mi_free(blocks[--n]);
  CHECK_CMP(before - tld()->stats.pages.current, >=, 5);
  CHECK_CMP(pages_of(size), <=, 1);
}

/* The one that is kept goes back after some slow paths of its thread. */
static void expires(size_t size, size_t other) {
  mi_free(mi_malloc(size));
  CHECK_EQ(pages_of(size), 1);
  int64_t until = tld()->stats.slow_calls + 17 * 64;
  while (tld()->stats.slow_calls < until) {
    void* blocks[100];
    for (int i = 0; i < 100; i++) blocks[i] = mi_malloc(other);
    for (int i = 0; i < 100; i++) mi_free(blocks[i]);
  }
  CHECK_EQ(pages_of(size), 0);
}

static void forced(size_t size) {
  mi_free(mi_malloc(size));
  CHECK_EQ(pages_of(size), 1);
  mi_collect(true);
  CHECK_EQ(pages_of(size), 0);
}

/* Blocks that fill a page of their class; returns how many. */
static size_t fill_page(size_t size, void** blocks) {
  size_t n = 0;
  do {
    blocks[n++] = mi_malloc(size);
  } while (n < mi_page_of(blocks[0])->reserved);
  return n;
}

/* A class that needs more pages gets those that others retired, rather than fresh memory. */
static void handed_on(void) {
  enum { CLASSES = 8, LEAST = 64, FEW = 256 << 10 };
  static void* blocks[CLASSES][MI_UNIT_SIZE / LEAST];
  size_t counts[CLASSES];
  mi_collect(true);
  for (size_t i = 0; i < CLASSES; i++) counts[i] = fill_page((size_t)LEAST << i, blocks[i]);
  for (size_t i = 0; i < CLASSES; i++) {
    while (counts[i] > 0) mi_free(blocks[i][--counts[i]]);
  }
  const mi_heap_t* heap = mi_heap_get_backing();
  CHECK_CMP(heap->retired_bytes, >, FEW + 2 * MI_UNIT_SIZE);
  counts[0] = fill_page(LEAST, blocks[0]); /* the retired page of this class */
  int64_t pages = tld()->stats.pages.current;
  size_t retired = heap->retired_bytes;
  counts[1] = fill_page(LEAST, blocks[1]);
  CHECK_EQ(tld()->stats.pages.current, pages);
  CHECK_CMP(heap->retired_bytes, <, retired);
  for (size_t i = 0; i < 2; i++) {
    while (counts[i] > 0) mi_free(blocks[i][--counts[i]]);
  }
}

int main(void) {
  handed_on();
  alternate(8);
  alternate(16);
  alternate(1000);
  alternate(8000);
  alternate(16384);
  alternate(MI_MEDIUM_BLOCK_MAX);
  alternate_beside_full(64);
  alternate_beside_full(1000);
  several(1000);
  several(4096);
  several(32768);
  several(300000);
  expires(1000, 65536);
  expires(16384, 65536);
  forced(128);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
