/* Empty pages: the last one of a class is kept for a while, others go back at once. The classes are those
   that never borrow from others. */
#include <pthread.h>
#include <string.h>

#include "heap/heap.h"

#include "check.h"
#include "heap/thread.h"
#include "memory.h"
#include "segment/purge.h"
#include "segment/segment.h"

static mi_tld_t* tld(void) { return mi_heap_get()->tld; }

static size_t pages_of(size_t size) {
  mi_heap_t* heap = mi_heap_get_backing();
  unsigned bin = mi_bin_of(size);
  size_t count = 0;
  if (bin < MI_BIN_LARGE) {
    for (mi_page_t* page = heap->pages[bin].first; page != NULL; page = page->next) count++;
  }
  for (mi_page_t* page = heap->pages[MI_QUEUE_OF_FULL].first; page != NULL; page = page->next)
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
  /* The last page gets full, too, or its blocks would find room in the magazine. */
  const mi_page_t* last = mi_page_of(blocks[n - 1]);
  while (mi_page_used(last) < last->reserved) blocks[n++] = mi_malloc(size);
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
    void* blocks[40];
    for (int i = 0; i < 40; i++) blocks[i] = mi_malloc(other);
    for (int i = 0; i < 40; i++) mi_free(blocks[i]);
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

static void free_blocks(void** blocks, size_t count) {
  while (count > 0) mi_free(blocks[--count]);
}

/* The blocks of a page that was full come one behind the other again, if they were freed in any order. Of one that was
   not full, and where they were freed one behind the other, they come as they were freed. */
static void laid_out_anew(size_t size) {
  enum { STEP = 7 };
  static void* blocks[MI_UNIT_SIZE / 64];
  mi_collect(true);
  size_t count = fill_page(size, blocks);
  const mi_page_t* page = mi_page_of(blocks[0]);
  for (size_t first = 0; first < STEP; first++) {
    for (size_t i = first; i < count; i += STEP) mi_free(blocks[i]);
  }
  CHECK_EQ(pages_of(size), 1);
  CHECK_EQ(page->capacity, MI_CHECKED ? page->reserved : 0);
  CHECK_EQ(fill_page(size, blocks), count);
  for (size_t i = 0; i < count && !MI_CHECKED; i++) {
    CHECK((uint8_t*)blocks[i] == page->start + i * size);
  }
  for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  CHECK_EQ(page->capacity, page->reserved);

  mi_collect(true);
  for (size_t i = 0; i < 3; i++) blocks[i] = mi_malloc(size);
  page = mi_page_of(blocks[0]);
  uint16_t capacity = page->capacity;
  CHECK_CMP(capacity, <, page->reserved);
  for (size_t i = 0; i < 3; i++) mi_free(blocks[i * 2 % 3]);
  CHECK_EQ(page->capacity, capacity);
}

enum { CLASSES = 8 };

/* The heap has an empty page of each of these classes. */
static void retire_pages(const size_t sizes[CLASSES]) {
  static void* blocks[CLASSES][MI_UNIT_SIZE / 64];
  size_t counts[CLASSES];
  for (size_t i = 0; i < CLASSES; i++) counts[i] = fill_page(sizes[i], blocks[i]);
  for (size_t i = 0; i < CLASSES; i++) free_blocks(blocks[i], counts[i]);
}

/* A page counts for the blocks that were laid out in it, so a heap keeps many pages of a few blocks
   each, and few that were full. */
static void counts_what_was_laid_out(void) {
  enum { SURE = 256 << 10, KINDS = 6, FEW = 2 };
  static const size_t sizes[KINDS] = {1024, 2048, 4096, 8192, 16384, 32768};
  const mi_heap_t* heap = mi_heap_get_backing();
  mi_collect(true);
  CHECK_EQ(heap->retired_bytes, 0);
  size_t laid_out = 0;
  size_t whole = 0;
  for (size_t i = 0; i < KINDS; i++) {
    void* blocks[FEW];
    for (size_t k = 0; k < FEW; k++) blocks[k] = mi_malloc(sizes[i]);
    const mi_page_t* page = mi_page_of(blocks[0]);
    CHECK_EQ(page->block_size, sizes[i]);
    whole += page->reserved * page->block_size;
    laid_out += page->capacity * page->block_size;
    free_blocks(blocks, FEW);
    CHECK_EQ(heap->retired_bytes, laid_out);
    CHECK_EQ(pages_of(sizes[i]), 1);
  }
  CHECK_CMP(laid_out, <, SURE);
  CHECK_CMP(whole, >, 2 * SURE);
  /* A page that is used again, and grows, counts for more when it is empty again. */
  static void* more[MI_UNIT_SIZE / 1024];
  static const size_t grown[] = {4096, 1024};
  for (size_t i = 0; i < 2; i++) {
    size_t before = heap->retired_bytes;
    size_t count = fill_page(grown[i], more);
    CHECK_CMP(count, >, FEW);
    free_blocks(more, count);
    CHECK_CMP(heap->retired_bytes, >, before + MI_UNIT_SIZE / 2);
  }
  mi_collect(true);
  CHECK_EQ(heap->retired_bytes, 0);
}

/* A page that starts anew, since its blocks came back in no order, counts for all that it holds. */
static void counts_what_was_touched(void) {
  enum { SIZE = 64, STEP = 7 };
  static void* blocks[MI_UNIT_SIZE / SIZE];
  const mi_heap_t* heap = mi_heap_get_backing();
  mi_collect(true);
  size_t count = fill_page(SIZE, blocks);
  const mi_page_t* page = mi_page_of(blocks[0]);
  for (size_t from = 0; from < STEP; from++) {
    for (size_t i = from; i < count; i += STEP) mi_free(blocks[i]);
  }
  CHECK_CMP(page->retire_expire, >, 0);
  if (!MI_CHECKED) CHECK_EQ(page->capacity, 0);
  size_t before = heap->retired_bytes;
  CHECK_EQ(before, page->reserved * page->block_size);
  mi_free(mi_malloc(SIZE));
  CHECK_EQ(heap->retired_bytes, before);
  mi_collect(true);
  CHECK_EQ(heap->retired_bytes, 0);
}

/* A class that needs more pages gets those that others retired, rather than fresh memory. */
static void handed_on(void) {
  enum { LEAST = 64, FEW = 128 << 10 };
  static const size_t sizes[CLASSES] = {LEAST, 128, 256, 512, 1024, 2048, 4096, 8192};
  static void* blocks[2][MI_UNIT_SIZE / LEAST];
  size_t counts[2];
  mi_collect(true);
  retire_pages(sizes);
  const mi_heap_t* heap = mi_heap_get_backing();
  CHECK_CMP(heap->retired_bytes, >, FEW + 2 * MI_UNIT_SIZE);
  counts[0] = fill_page(LEAST, blocks[0]); /* the retired page of this class */
  int64_t pages = tld()->stats.pages.current;
  size_t retired = heap->retired_bytes;
  counts[1] = fill_page(LEAST, blocks[1]);
  CHECK_EQ(tld()->stats.pages.current, pages);
  CHECK_CMP(heap->retired_bytes, <, retired);
  CHECK(!mi_page_of(blocks[1][0])->memory_is_zero);
  for (size_t i = 0; i < 2; i++) free_blocks(blocks[i], counts[i]);
}

/* Also where many segments have a place for it, but in fresh memory. */
static void handed_on_among_many(void) {
  enum { SEGMENTS = 30, KIB = 1024, MOST_SMALL = 20000 };
  static const size_t retired[CLASSES] = {1200, 2000, 2800, 3600, 4400, 5200, 6000, 6800};
  static const size_t sizes[] = {2048 * KIB, 1024 * KIB, 896 * KIB};
  enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
  static void* fillers[SEGMENTS][SIZES];
  static void* small[MOST_SMALL];
  size_t smalls = 0;
  const mi_heap_t* heap = mi_heap_get_backing();
  long delay = mi_option_get(mi_option_purge_delay);
  mi_option_set(mi_option_purge_delay, -1);
  mi_collect(true);
  for (size_t i = 0; i < SEGMENTS; i++) {
    for (size_t k = 0; k < SIZES; k++) fillers[i][k] = mi_malloc(sizes[k]);
  }
  while (heap->segments->free[0] != NULL || heap->segments->free[1] != NULL) {
    CHECK_CMP(smalls, <, MOST_SMALL);
    small[smalls++] = mi_malloc(KIB);
  }
  for (size_t i = 0; i < smalls; i++) {
    if (mi_page_index(mi_segment_of(small[i]), mi_page_of(small[i])) != 1) continue;
    mi_free(small[i]);
    small[i] = NULL;
  }
  mi_collect(true);
  mi_purge_all();
  retire_pages(retired);
  int64_t pages = tld()->stats.pages.current;
  void* p = mi_malloc(512);
  CHECK_EQ(tld()->stats.pages.current, pages);
  CHECK(!mi_page_of(p)->memory_is_zero);
  mi_free(p);
  free_blocks(small, smalls);
  for (size_t i = 0; i < SEGMENTS; i++) free_blocks(fillers[i], SIZES);
  mi_option_set(mi_option_purge_delay, delay);
}

/* Pages of few bytes are not handed on: where blocks of many classes are replaced, each class comes to have a page, and
   keeps it. */
static void* replace_many_classes(void* arg) {
  enum { LIVE = 64, MOST = 3000, FEW = 128 << 10, WARM = 4, TIMES = 20 };
  (void)arg;
  void* blocks[LIVE] = {NULL};
  int64_t taken = 0;
  for (int time = 0; time < WARM + TIMES; time++) {
    if (time == WARM) taken = tld()->stats.pages.total;
    for (size_t i = 0; i < 2000; i++) {
      mi_free(blocks[i % LIVE]);
      blocks[i % LIVE] = mi_malloc(16 + i * 37 % MOST);
    }
    for (size_t i = 0; i < LIVE; i++) mi_free(blocks[i]);
    memset(blocks, 0, sizeof(blocks));
  }
  CHECK_CMP(mi_heap_get_backing()->retired_bytes, >, FEW);
  CHECK_CMP(tld()->stats.pages.total, <=, taken + TIMES / 2);
  return NULL;
}

static void few_bytes_stay(void) {
  pthread_t thread; /* one that has no pages yet */
  CHECK_EQ(pthread_create(&thread, NULL, replace_many_classes, NULL), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- A forced collect beside another thread that frees ---- */

enum { ROUNDS = 100, BLOCKS = 1000 };
static void* blocks_of_other[BLOCKS];
static _Atomic(int) round_begun;
static _Atomic(int) round_over;

static void* frees_in_rounds(void* arg) {
  for (int round = 1; round <= ROUNDS; round++) {
    while (atomic_load(&round_begun) < round) mi_os_yield(1);
    for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks_of_other[i]);
    atomic_store(&round_over, round);
  }
  return arg;
}

static size_t empty_pages(void) {
  const mi_heap_t* heap = mi_heap_get_backing();
  size_t count = 0;
  for (unsigned bin = 0; bin < MI_PAGE_QUEUES; bin++) {
    for (const mi_page_t* page = heap->pages[bin].first; page != NULL; page = page->next)
      count += mi_page_used(page) == 0 && !mi_page_has_thread_free(page);
  }
  return count;
}

/* It leaves no page that it has just emptied: if its thread fell asleep now, no other one could
   purge that. */
static void collected_beside_frees(size_t size) {
  pthread_t thread;
  atomic_store(&round_begun, 0);
  atomic_store(&round_over, 0);
  mi_collect(true);
  CHECK_EQ(pthread_create(&thread, NULL, frees_in_rounds, NULL), 0);
  mi_collect(true); /* making a thread allocates, and may free */
  for (int round = 1; round <= ROUNDS; round++) {
    for (size_t i = 0; i < BLOCKS; i++) blocks_of_other[i] = mi_malloc(size);
    atomic_store(&round_begun, round);
    while (atomic_load(&round_over) < round) mi_collect(true);
    CHECK_EQ(empty_pages(), 0);
  }
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(void) {
  expires(1000, 65536);
  expires(16384, 65536);
  CHECK_PTR(mi_heap_get_backing()->magazine, ==, NULL); /* it would keep the last block */
  laid_out_anew(64);
  laid_out_anew(512);
  counts_what_was_laid_out();
  counts_what_was_touched();
  handed_on();
  handed_on_among_many();
  few_bytes_stay();
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
  forced(128);
  collected_beside_frees(64);
  collected_beside_frees(600);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
