/* A thread ends, and leaves pages with holes, or others make holes in what it left. Another thread adopts them: it gets
   each free block once, and nothing that lives. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "pattern.h"
#include "random.h"
#include "segment/segment.h"

enum { MOST = 64, ROUNDS = 200 / TEST_SLOWNESS };

static size_t size, count;
static uint8_t* blocks[MOST]; /* of one page, in the order of their addresses */
static uint8_t* next_block;   /* the one that the page had no room for */
static bool is_free[MOST];
static mi_page_t* page;
static pthread_barrier_t step; /* of the thread that leaves, and the first one */

/* Fills a page of the calling thread, which is in the full queue then. */
static void fill_page(void) {
  do { /* the first ones may be borrowed from a larger class */
    mi_free(next_block);
    next_block = blocks[0] = mi_malloc(size);
    page = mi_page_of(blocks[0]);
  } while (page->block_size != size);
  count = page->reserved;
  CHECK_CMP(count, <=, MOST);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) blocks[i] = mi_malloc(size);
    CHECK_PTR(blocks[i], ==, page->start + i * size);
    pattern_fill(blocks[i], size, i);
    is_free[i] = false;
  }
  next_block = mi_malloc(size);
  CHECK(page->in_full);
}

static void check_alive(void) {
  for (size_t i = 0; i < count; i++) {
    if (!is_free[i]) CHECK(pattern_holds(blocks[i], size, i));
  }
}

static void free_some(size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    mi_free(blocks[i]);
    is_free[i] = true;
  }
}

static void free_and_purge(size_t from, size_t to) {
  size_t before = mi_page_hole_count(page);
  free_some(from, to);
  mi_scavenge_all();
  CHECK_CMP(mi_page_hole_count(page), >, before);
  check_alive();
}

static void* leave(void* arg) {
  fill_page();
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  return arg;
}

static void leave_page(size_t block_size, pthread_t* thread) {
  size = block_size;
  CHECK_EQ(pthread_create(thread, NULL, leave, NULL), 0);
  pthread_barrier_wait(&step);
}

static void let_end(pthread_t thread) {
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  CHECK_EQ(mi_segment_owner(mi_segment_of(page)), 0);
  check_alive();
}

/* Allocates what is free in the page. Another page may have room, too. */
static void get_back(void) {
  enum { TRIES = 2000 };
  static void* elsewhere[TRIES];
  size_t left = 0, tries = 0;
  for (size_t i = 0; i < count; i++) left += is_free[i];
  while (left > 0) {
    CHECK_CMP(tries, <, TRIES); /* no block is lost */
    uint8_t* p = mi_malloc(size);
    if (mi_page_of(p) != page) {
      elsewhere[tries++] = p;
      mi_os_yield((unsigned)tries); /* a thread may hold the list to purge it */
      continue;
    }
    size_t i = (size_t)(p - page->start) / size;
    CHECK_PTR(p, ==, blocks[i]);
    CHECK(is_free[i]);
    pattern_fill(p, size, i);
    is_free[i] = false;
    left--;
  }
  check_alive();
  while (tries > 0) mi_free(elsewhere[--tries]);
}

static void* adopt(void* arg) {
  mi_collect(true);
  CHECK(mi_segment_is_mine(mi_segment_of(page)));
  check_alive();
  heaps_check();
  get_back();
  CHECK_EQ(mi_page_holes(page), 0);
  free_some(0, count);
  mi_free(next_block);
  next_block = NULL;
  heaps_check();
  return arg;
}

static void adopt_in_other_thread(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, adopt, NULL), 0);
  pthread_join(thread, NULL);
}

/* Holes from before the thread's end, and from after it. */
static void made_around_the_end(size_t block_size) {
  pthread_t thread;
  leave_page(block_size, &thread);
  free_and_purge(1, count / 2);
  let_end(thread);
  CHECK_EQ(mi_page_holes(page), 0); /* the thread took them back as it ended */
  free_and_purge(count / 2, count - 1);
  free_some(count - 1, count); /* this one is on the list, in front of them */
  adopt_in_other_thread();
}

/* The last block of an abandoned page with holes is freed: the page is given back. */
static void given_back(size_t block_size) {
  pthread_t thread;
  leave_page(block_size, &thread);
  let_end(thread);
  mi_segment_t* segment = mi_segment_of(page);
  uint64_t pages = mi_segment_pages(segment);
  free_and_purge(0, count - 1);
  CHECK_EQ(mi_segment_pages(segment), pages);
  free_some(count - 1, count);
  CHECK_EQ(mi_segment_pages(segment), pages & ~((uint64_t)1 << mi_page_index(segment, page)));
  CHECK_EQ(mi_page_holes(page), 0);
  mi_free(next_block);
  next_block = NULL;
}

/* ---- While others free and purge ---- */

static bool over;

static void* scavenge(void* arg) {
  while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
    mi_scavenge_all();
    mi_os_yield(0);
  }
  return arg;
}

static void* free_half(void* seed) {
  random_t rng = {*(uint64_t*)seed};
  size_t from = random_below(&rng, count / 2);
  for (size_t i = from; i < from + count / 2; i++) {
    free_some(i, i + 1);
    if (random_one_in(&rng, 4)) mi_os_yield(0);
  }
  return NULL;
}

static void raced(uint64_t seed) {
  static const size_t sizes[] = {1280, 2048, 5120, MI_SMALL_BLOCK_MAX, 20480, MI_MEDIUM_BLOCK_MAX};
  pthread_t scavenger;
  CHECK_EQ(pthread_create(&scavenger, NULL, scavenge, NULL), 0);
  for (size_t i = 0; i < ROUNDS; i++) {
    pthread_t thread, freer;
    leave_page(sizes[i % (sizeof(sizes) / sizeof(*sizes))], &thread);
    seed++;
    CHECK_EQ(pthread_create(&freer, NULL, free_half, &seed), 0);
    for (size_t n = seed % 8; n > 0; n--) mi_os_yield(0);
    pthread_barrier_wait(&step);
    pthread_join(thread, NULL);
    pthread_join(freer, NULL);
    adopt_in_other_thread();
  }
  __atomic_store_n(&over, true, __ATOMIC_RELAXED);
  pthread_join(scavenger, NULL);
}

int main(void) {
  uint64_t seed = test_seed();
  mi_option_set(mi_option_purge_delay, 3600000);
  pthread_barrier_init(&step, NULL, 2);
  static const size_t sizes[] = {2048, 5120, MI_SMALL_BLOCK_MAX, MI_MEDIUM_BLOCK_MAX};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    made_around_the_end(sizes[i]);
    given_back(sizes[i]);
  }
  mi_rare_set(mi_rare_race, 3);
  raced(seed);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().abandoned, 0);
  return 0;
}
