/* A thread sleeps while others free all that it allocated. Its memory goes back to the system, and the thread finds its
   pages empty when it wakes up. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "page/scavenge.h"
#include "resident.h"
#include "segment/segment.h"

enum { MOST = 100000 };

static void* blocks[MOST];
static size_t count;
static size_t size;
static pthread_barrier_t step;
static bool use_heap; /* the blocks come from a heap of its own, which is destroyed in the end */

static size_t resident_bytes(void) {
  size_t resident = 0;
  /* The blocks of a page lie side by side: look at each page once. */
  const mi_segment_t* last = NULL;
  for (size_t i = 0; i < count; i++) {
    mi_segment_t* segment = mi_segment_find(blocks[i]);
    if (segment != last) resident += resident_in(segment, MI_SEGMENT_SIZE);
    last = segment;
  }
  return resident;
}

static void* sleeper(void* arg) {
  mi_heap_t* heap = use_heap ? mi_heap_new() : mi_heap_get_default();
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mi_heap_malloc(heap, size);
    memset(blocks[i], 1, size);
  }
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep: all blocks are freed meanwhile */
  if (use_heap) {
    mi_heap_destroy(heap);
  } else {
    /* The same number again takes no more memory than before: the pages are there, and empty. */
    int64_t segments = memory_gauges().segments;
    for (size_t i = 0; i < count; i++) {
      blocks[i] = mi_malloc(size);
      memset(blocks[i], 2, size);
    }
    CHECK_CMP(memory_gauges().segments, <=, segments + 1);
    heaps_check();
    for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  }
  heaps_check();
  mi_collect(true);
  return arg;
}

static void run(size_t block_size, size_t total, bool heap) {
  size = block_size;
  count = total / size < MOST ? total / size : MOST;
  use_heap = heap;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  size_t before = resident_bytes();
  CHECK_CMP(before, >=, count * size);
  for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  CHECK_CMP(resident_bytes(), >=, count * size); /* not before it is due */
  mi_scavenge_all();
  /* The headers stay, and the pages at both ends of the row of blocks. */
  CHECK_CMP(resident_bytes(), <=, before / 16 + ((size_t)1 << 20));
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  mi_collect(true);
  CHECK_EQ(memory_gauges().huge, 0);
  memory_check();
}

/* Every other block is freed: of medium and large ones the memory goes back, but for a system page each. */
static void partly(size_t block_size) {
  size = block_size;
  count = ((size_t)32 << 20) / size;
  use_heap = true;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  size_t page = mi_os_page_size();
  for (int round = 0; round < 2; round++) { /* what was purged stays so when more is freed */
    for (size_t i = (size_t)round; i < count; i += 4) mi_free(blocks[i]);
    mi_scavenge_all();
    for (size_t i = (size_t)round; i < count; i += 4) {
      CHECK_CMP(resident_in((char*)blocks[i] + page, size - 2 * page), <=, page);
    }
    for (size_t i = 0; i < count; i++) {
      if (i % 4 > (size_t)round) CHECK_EQ(((char*)blocks[i])[size - 1], 1);
    }
  }
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  mi_collect(true);
  memory_check();
}

static void* free_range(void* range) {
  for (size_t i = ((size_t*)range)[0]; i < ((size_t*)range)[1]; i++) mi_free(blocks[i]);
  return NULL;
}

static void* free_and_scavenge(void* range) {
  free_range(range);
  mi_scavenge_all();
  return NULL;
}

static void in_other_thread(void* (*fn)(void* range), size_t from, size_t to) {
  pthread_t thread;
  size_t range[] = {from, to};
  CHECK_EQ(pthread_create(&thread, NULL, fn, range), 0);
  pthread_join(thread, NULL);
}

static void free_in_other_thread(size_t from, size_t to) {
  in_other_thread(free_and_scavenge, from, to);
}

/* A page of which first one block was purged, and then all, is one like any other. */
static void again(void) {
  size = MI_MEDIUM_BLOCK_MAX; /* a page of its class: it borrows from none */
  mi_heap_t* heap = mi_heap_new();
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < MI_MEDIUM_BLOCKS; i++) {
      blocks[i] = mi_heap_malloc(heap, size);
      memset(blocks[i], 1, size);
    }
    CHECK_EQ(heap->page_count, 1);
    free_in_other_thread(0, 1);
    CHECK_CMP(resident_in(blocks[0], size), <=, 2 * mi_os_page_size());
    free_in_other_thread(1, MI_MEDIUM_BLOCKS);
    CHECK_CMP(resident_in(blocks[0], MI_MEDIUM_BLOCKS * size), <=, 2 * mi_os_page_size());
  }
  mi_heap_destroy(heap);
}

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

static bool is_purged(const void* block) {
  return resident_in(block, size) <= 2 * mi_os_page_size();
}

/* Visits what was announced, as if it was due now. */
static int64_t look(size_t units) {
  mi_purge_budget_t budget = {units};
  return mi_scavenge_round(mi_scavenge_next(), &budget);
}

/* Blocks are purged at the second look, and not while others free more of the page: they may be needed again. */
static void at_the_second_look(void) {
  enum { FREED = 3 };
  size = 30000;
  mi_heap_t* heap = mi_heap_new();
  for (size_t i = 0; i < 8; i++) {
    blocks[i] = mi_heap_malloc(heap, size);
    memset(blocks[i], 1, size);
  }
  for (size_t freed = 0; freed < FREED; freed++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_it, blocks[freed]), 0);
    pthread_join(thread, NULL);
    CHECK_CMP(look(SIZE_MAX), >, 0);
    for (size_t i = 0; i <= freed; i++) CHECK(!is_purged(blocks[i]));
  }
  CHECK_CMP(look(SIZE_MAX), >, 0); /* which sets a trap for the owner */
  for (size_t i = 0; i < FREED; i++) CHECK(is_purged(blocks[i]));
  CHECK_EQ(look(SIZE_MAX), 0);
  mi_heap_destroy(heap);
}

/* With a small budget, a round gives back one segment; the rest is due soon after. */
static void one_segment_after_another(void) {
  enum { SEGMENTS = 4 };
  mi_heap_t* heap = mi_heap_new();
  size = MI_SMALL_BLOCK_MAX;
  count = SEGMENTS * MI_SEGMENT_SIZE / size;
  for (size_t i = 0; i < count; i++) memset(blocks[i] = mi_heap_malloc(heap, size), 1, size);
  in_other_thread(free_range, 0, count);
  size_t left = resident_bytes();
  for (int rounds = 0; mi_scavenge_next() != 0; rounds++) {
    CHECK_CMP(rounds, <=, 2 * SEGMENTS + 2);
    CHECK_CMP(mi_scavenge_next(), <=, mi_os_now() + mi_option_get(mi_option_purge_delay));
    (void)look(1);
    size_t now = resident_bytes();
    CHECK_CMP(left - now, <=, MI_SEGMENT_SIZE);
    left = now;
  }
  CHECK_CMP(left, <=, (SEGMENTS + 1) * (size_t)(256 << 10));
  mi_heap_destroy(heap);
}

static void fill(mi_heap_t* heap, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) memset(blocks[i] = mi_heap_malloc(heap, size), 1, size);
}

/* A segment in which blocks come and go all the time does not use up the budget of every round. */
static void each_has_its_turn(void) {
  enum { SEGMENTS = 3, ROUNDS = 8 };
  mi_heap_t* busy = mi_heap_new();
  mi_heap_t* asleep = mi_heap_new();
  mi_collect(true);
  size = MI_SMALL_BLOCK_MAX;
  size_t few = MI_SEGMENT_SIZE / size / 2;
  count = few + SEGMENTS * MI_SEGMENT_SIZE / size;
  fill(busy, 0, few); /* in the first slot that is free */
  fill(asleep, few, count);
  in_other_thread(free_range, few, count);
  for (int round = 0; round < ROUNDS; round++) {
    in_other_thread(free_range, 0, few);
    (void)look(1);
    fill(busy, 0, few);
  }
  CHECK_CMP(resident_bytes(), <=, few * size + (SEGMENTS + 1) * (size_t)(256 << 10));
  mi_heap_destroy(asleep);
  mi_heap_destroy(busy);
}

int main(void) {
  mi_os_forbid_large_pages();
  mi_option_set(mi_option_purge_delay, 3600000);
  mi_option_enable(
      mi_option_visit_abandoned); /* large blocks stay with their thread, whoever frees them */
  pthread_barrier_init(&step, NULL, 2);
  for (int heap = 0; heap < 2; heap++) {
    run(16, (size_t)1 << 20, heap != 0);
    run(48, (size_t)4 << 20, heap != 0);
    run(1024, (size_t)16 << 20, heap != 0);
    run(8 << 10, (size_t)16 << 20, heap != 0);
    run(MI_MEDIUM_BLOCK_MAX, (size_t)32 << 20, heap != 0);
    run(40 << 10, (size_t)32 << 20, heap != 0);
    run(1 << 20, (size_t)64 << 20, heap != 0);
    run(2 << 20, (size_t)64 << 20, heap != 0);
  }
  partly(20 << 10);
  partly(60 << 10);
  partly(700 << 10);
  again();
  at_the_second_look();
  one_segment_after_another();
  each_has_its_turn();
  return 0;
}
