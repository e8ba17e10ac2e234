/* A class that has many pages after a peak: while blocks are replaced at random, most of its pages become empty
   and go. */
#include <pthread.h>

#include "check.h"
#include "heap/thread.h"
#include "memory.h"
#include "page/page.h"
#include "page/size_class.h"
#include "random.h"

/* Every fifth block is kept. */
enum { SIZE = 512, PEAK = 5000, SHARE = 5, KEPT = PEAK / SHARE };

static void* blocks[PEAK];
static random_t random_state;

/* It is written to, so that it does not look like a free one. */
static void* make(void) {
  void* block = mi_malloc(SIZE);
  CHECK(block != NULL);
  memset(block, 1, SIZE);
  return block;
}

static void replace(size_t times) {
  while (times-- > 0) {
    size_t i = SHARE * random_below(&random_state, KEPT);
    mi_free(blocks[i]);
    blocks[i] = make();
  }
}

/* ---- Which page is taken instead of a sparse one ---- */

static mi_page_t* first_page(void) { return mi_heap_get()->pages[mi_bin_of(SIZE)].first; }

/* Makes blocks until every page of the class is full. Returns how many there are. */
static size_t fill_up(size_t count) {
  const mi_page_t* page;
  while ((page = first_page()) != NULL &&
         (page->free != NULL || page->local_free != NULL || page->capacity < page->reserved)) {
    CHECK_CMP(count, <, PEAK);
    blocks[count++] = make();
  }
  return count;
}

/* Frees so many blocks of the page. */
static void free_some(mi_page_t* page, size_t some) {
  for (size_t i = 0; i < PEAK && some > 0; i++) {
    if (blocks[i] == NULL || mi_page_of(blocks[i]) != page) continue;
    mi_free(blocks[i]);
    blocks[i] = NULL;
    some--;
  }
  CHECK_EQ(some, 0);
}

typedef struct order_s {
  mi_page_t* page;
  size_t some;
} order_t;

static void* free_some_of(void* arg) {
  const order_t* order = arg;
  free_some(order->page, order->some);
  return NULL;
}

static void other_frees(mi_page_t* page, size_t some) {
  order_t order = {page, some};
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_some_of, &order), 0);
  pthread_join(thread, NULL);
}

/* The page that malloc takes a block of when it has looked for one. */
static mi_page_t* page_of_next(size_t* left) {
  while (first_page()->free != NULL || first_page()->local_free != NULL) {
    CHECK_CMP(*left, <, PEAK);
    blocks[(*left)++] = make();
  }
  blocks[*left] = make();
  return mi_page_of(blocks[(*left)++]);
}

/* The page that other threads emptied looks fullest, but one with fewer blocks on its lists is. The
   sparse page that is passed over is watched, and found when other threads free the rest. */
static void not_one_that_others_emptied(void) {
  enum { COUNT = 3000 };
  memset(blocks, 0, sizeof(blocks));
  for (size_t i = 0; i < COUNT; i++) blocks[i] = make();
  size_t count = fill_up(COUNT);
  mi_page_t* pages[3]; /* one after the other in the queue, behind one that is exhausted */
  size_t reserved = MI_UNIT_SIZE / SIZE;
  for (size_t i = 0, found = 0; found < 3; i += reserved) {
    CHECK_CMP(i, <, COUNT);
    mi_page_t* page = mi_page_of(blocks[i]);
    if (page->reserved == reserved && (found == 0 || page != pages[found - 1])) {
      pages[found++] = page;
    }
  }
  mi_page_t *sparse = pages[0], *emptied = pages[1], *fuller = pages[2];
  free_some(sparse, 80);
  free_some(emptied, 51);
  free_some(fuller, 64);
  other_frees(emptied, 60);
  CHECK_CMP(mi_page_used(emptied), >, mi_page_used(fuller));
  CHECK_CMP(mi_page_used(emptied), <=, reserved * 3 / 4);
  CHECK_PTR(first_page()->next, ==, sparse);
  CHECK_PTR(page_of_next(&count), ==, fuller);
  CHECK(mi_page_is_watched(sparse));
  heaps_check();
  /* As the owner frees in it, it sees what others freed. */
  uint32_t before = mi_heap_get()->pages_of[mi_bin_of(SIZE)];
  other_frees(sparse, 24);
  free_some(sparse, 24);
  CHECK_EQ(mi_heap_get()->pages_of[mi_bin_of(SIZE)], before);
  CHECK_CMP(sparse->retire_expire, >, 0);
  heaps_check();
  for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  mi_collect(true);
  memory_check();
}

int main(void) {
  not_one_that_others_emptied();
  mi_heap_t* heap = mi_heap_get();
  const uint32_t* pages = &heap->pages_of[mi_bin_of(SIZE)];
  for (size_t i = 0; i < PEAK; i++) blocks[i] = make();
  uint32_t at_peak = *pages;
  for (size_t i = 0; i < PEAK; i++) {
    if (i % SHARE != 0) mi_free(blocks[i]);
  }
  CHECK_CMP(at_peak, >=, PEAK * SIZE / MI_UNIT_SIZE);
  replace(40 * KEPT);
  CHECK_CMP(*pages, <=, at_peak / 2);
  memory_check();
  for (size_t i = 0; i < PEAK; i += SHARE) mi_free(blocks[i]);
  return 0;
}
