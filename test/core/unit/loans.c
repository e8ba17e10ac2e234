/* Classes that get blocks from pages of larger classes: one that is hardly used, and a medium one whose pages are
   full. */
#include "check.h"
#include "heap/request.h"
#include "heap/thread.h"
#include "memory.h"
#include "page/size_class.h"
#include "segment/segment.h"

enum { LOANS = 8 };

static mi_heap_t* heap;

static size_t pages_of(size_t size) { return heap->pages_of[mi_bin_of(size)]; }

static size_t block_size_of(const void* p) { return mi_page_of(p)->block_size; }

/* A few blocks of all classes that share pages: one page for each doubling. */
static void few_pages(void) {
  void* blocks[MI_BIN_HUGE];
  size_t count = 0;
  for (unsigned bin = 1; mi_bin_block_size(bin) <= MI_MEDIUM_BLOCK_MAX; bin++) {
    size_t size = mi_bin_block_size(bin);
    blocks[count] = mi_malloc(size);
    CHECK_CMP(block_size_of(blocks[count]), >=, size);
    CHECK_CMP(block_size_of(blocks[count]), <, 2 * size);
    CHECK_EQ((uintptr_t)blocks[count] % mi_lowest_bit(size), 0);
    count++;
  }
  CHECK_CMP(heap->page_count, <=, 17);
  memory_check();
  while (count > 0) mi_free(blocks[--count]);
}

/* Who asks for more gets pages of the class. */
static void own_page(size_t size) {
  void* blocks[LOANS + 2];
  for (int i = 0; i < LOANS; i++) {
    blocks[i] = mi_malloc(size);
    CHECK_EQ(pages_of(size), 0);
    CHECK_CMP(block_size_of(blocks[i]), >, size);
  }
  for (int i = LOANS; i < LOANS + 2; i++) {
    blocks[i] = mi_malloc(size);
    CHECK_EQ(pages_of(size), 1);
    CHECK_EQ(block_size_of(blocks[i]), size);
  }
  memory_check();
  for (int i = 0; i < LOANS + 2; i++) mi_free(blocks[i]);
}

/* Many classes that are asked for equally often do not borrow for ever: what they borrow ends no round. */
static void all_hot(void) {
  enum { CLASSES = 16, TIMES = 200 };
  static const size_t sizes[CLASSES] = {48,  80,  96,  112, 144, 160, 176, 192,
                                        208, 224, 240, 288, 320, 352, 384, 416};
  void* blocks[CLASSES] = {NULL};
  for (int i = 0; i < TIMES; i++) {
    for (int k = 0; k < CLASSES; k++) {
      mi_free(blocks[k]);
      blocks[k] = mi_malloc(sizes[k]);
    }
  }
  for (int k = 0; k < CLASSES; k++) {
    CHECK_EQ(block_size_of(blocks[k]), sizes[k]);
    mi_free(blocks[k]);
  }
}

/* What is borrowed may live for ever: in the long run, a class that is used now and then has its own pages. */
static void many_rounds(size_t size) {
  enum { KEPT = 12000 };
  static void* kept[KEPT];
  size_t bytes = 0;
  for (int i = 0; i < KEPT; i++) {
    kept[i] = mi_malloc(size);
    bytes += block_size_of(kept[i]);
    if (i % 4 == 0) mi_heap_forget_loans(heap); /* a round is over */
  }
  CHECK_CMP(bytes, <, KEPT * size * 5 / 4 + ((size_t)4 << 20));
  for (int i = 0; i < KEPT; i++) mi_free(kept[i]);
}

/* Where a page of the lender does not fit, which is longer, but one of its own does. */
static void no_room_for_the_lender(void) {
  enum { UNIT = 65536 };
  mi_arena_id_t arena;
  CHECK_EQ(mi_reserve_os_memory_ex((size_t)4 << 20, true, false, true, &arena), 0);
  mi_heap_t* small = mi_heap_new_in_arena(arena);
  CHECK(mi_heap_malloc(small, 32 * UNIT) != NULL && mi_heap_malloc(small, 20 * UNIT) != NULL);
  CHECK(mi_heap_malloc(small, 3 * UNIT) != NULL && mi_heap_malloc(small, 3 * UNIT) != NULL);
  /* 5 units are left; the lender needs 6 */
  void* p = mi_heap_malloc(small, 18 * 1024);
  CHECK(p != NULL);
  CHECK_EQ(block_size_of(p), 18 * 1024);
  mi_heap_destroy(small);
}

/* A power of two is what others borrow, and large blocks have pages to measure. */
static void never(size_t size) {
  void* p = mi_malloc(size);
  CHECK_EQ(block_size_of(p), mi_good_size(size));
  mi_free(p);
}

typedef struct blocks_s {
  void* all[64];
  size_t count;
} blocks_t;

static void* add(blocks_t* blocks, size_t size) {
  CHECK_CMP(blocks->count, <, 64);
  return blocks->all[blocks->count++] = mi_malloc(size);
}

static void free_last(blocks_t* blocks, size_t count) {
  while (count-- > 0) mi_free(blocks->all[--blocks->count]);
}

static void free_all(blocks_t* some, blocks_t* others) {
  free_last(some, some->count);
  free_last(others, others->count);
  mi_collect(true);
}

/* Allocates until the class has one page, and that is full. */
static void fill_page(blocks_t* blocks, size_t size) {
  while (pages_of(size) == 0) add(blocks, size);
  const mi_page_t* page = mi_page_of(blocks->all[blocks->count - 1]);
  for (size_t i = 1; i < page->reserved; i++) CHECK(mi_page_of(add(blocks, size)) == page);
}

/* A medium class whose page is full takes what was freed in pages of `next`, if it does so at all: 32 times in a
   round. Before and after that it gets pages of its own. */
static void spare(size_t size, size_t next, bool takes) {
  enum { FREED = 3, PER_ROUND = 32 };
  blocks_t mine = {.count = 0};
  blocks_t others = {.count = 0};
  blocks_t borrowed = {.count = 0};
  fill_page(&others, next);
  fill_page(&mine, size);
  heap->until_round = 1000; /* no round ends here by itself */
  mi_heap_forget_loans(heap);
  CHECK_EQ(block_size_of(add(&mine, size)), size); /* nothing was freed */
  CHECK_EQ(pages_of(size), 2);
  free_last(&mine, 1);
  mi_collect(true);
  CHECK_EQ(pages_of(size), 1);

  free_last(&others, FREED);
  if (takes) {
    for (int i = 0; i < FREED; i++) CHECK_EQ(block_size_of(add(&borrowed, size)), next);
    for (int i = FREED; i < PER_ROUND; i++) {
      free_last(&borrowed, 1);
      CHECK_EQ(block_size_of(add(&borrowed, size)), next);
    }
    free_last(&borrowed, 1);
  }
  CHECK_EQ(pages_of(size), 1);
  CHECK_EQ(block_size_of(add(&mine, size)), size);
  CHECK_EQ(pages_of(size), 2);
  memory_check();
  free_last(&borrowed, borrowed.count);
  free_all(&mine, &others);
}

/* What was never handed out is not lent: a program that keeps all its blocks gets pages that fit. */
static void growing(size_t size, size_t next) {
  blocks_t mine = {.count = 0};
  blocks_t others = {.count = 0};
  while (pages_of(next) == 0) add(&others, next);
  fill_page(&mine, size);
  const mi_page_t* page = mi_page_of(others.all[others.count - 1]);
  CHECK_CMP(page->capacity, <, page->reserved);
  CHECK_EQ(block_size_of(add(&mine, size)), size);
  free_all(&mine, &others);
}

/* A class without pages gets one after its first loans, though others have blocks to spare. */
static void first_page(size_t size, size_t next) {
  blocks_t mine = {.count = 0};
  blocks_t others = {.count = 0};
  fill_page(&others, next);
  size_t page = mi_page_of(others.all[others.count - 1])->reserved;
  free_last(&others, page - 1);
  CHECK_CMP(page - 1, >, LOANS);
  mi_heap_forget_loans(heap);
  for (int i = 0; i < LOANS; i++) CHECK_EQ(block_size_of(add(&mine, size)), next);
  CHECK_EQ(block_size_of(add(&mine, size)), size);
  free_all(&mine, &others);
}

/* A page is found though the first one of its class has nothing to lend. */
static void second_page(size_t size, size_t next) {
  blocks_t mine = {.count = 0};
  blocks_t others = {.count = 0};
  fill_page(&others, next);
  void* early = others.all[others.count - 1];
  add(&others, next); /* begins another page */
  fill_page(&mine, size);
  mi_free(early);
  CHECK_PTR(heap->pages[mi_bin_of(next)].first, !=, mi_page_of(early));
  CHECK_PTR(add(&mine, size), ==, early);
  others.all[others.count - 2] = NULL;
  free_all(&mine, &others);
}

int main(void) {
  heap = mi_heap_get();
  few_pages();
  mi_collect(true);
  mi_heap_forget_loans(heap);
  own_page(48);
  own_page(640);
  own_page(5120);
  own_page(20480);
  for (size_t size = 8; size <= MI_MEDIUM_BLOCK_MAX; size *= 2) never(size);
  never(MI_MEDIUM_BLOCK_MAX + 1);
  no_room_for_the_lender();
  mi_collect(true);
  mi_heap_forget_loans(heap);
  spare(9 * 1024, 10 * 1024, true);
  spare(9 * 1024, 13 * 1024, true);
  spare(9 * 1024, 14 * 1024, false);  /* five classes further */
  spare(12 * 1024, 13 * 1024, false); /* these blocks are aligned to 1 KiB, those to 4 */
  spare(7 * 1024, 7680, false);       /* small */
  growing(9 * 1024, 10 * 1024);
  first_page(9 * 1024, 10 * 1024);
  second_page(9 * 1024, 10 * 1024);
  all_hot();
  many_rounds(1100);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
