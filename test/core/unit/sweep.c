/* Threads with pages to spare free what ended threads left: they do not take that memory over, and yet each
   page goes back with its last block. */
#include <pthread.h>

#include "check.h"
#include "heap/thread.h"
#include "memory.h"

enum { BLOCKS = 3000, MOST_THREADS = 3, PRODUCERS = TEST_SLOWNESS > 1 ? 7 : 20 };

static void* blocks[PRODUCERS * BLOCKS];

typedef struct {
  size_t size;
  void** blocks;
} task_t;

/* Also blocks that the thread itself freed, and pages that were not laid out to their end. */
static void* leave(void* arg) {
  const task_t* task = arg;
  for (int i = 0; i < BLOCKS; i++) task->blocks[i] = mi_malloc(task->size);
  for (int i = 0; i < BLOCKS; i += 3) {
    mi_free(task->blocks[i]);
    task->blocks[i] = NULL;
  }
  return NULL;
}

static void left_by_a_thread(size_t size, void** to) {
  task_t task = {size, to};
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, leave, &task), 0);
  pthread_join(thread, NULL);
}

static void left_and_freed(size_t size) {
  left_by_a_thread(size, blocks);
  int64_t pages = mi_heap_get()->tld->stats.pages.current;
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  int64_t segments = memory_gauges().segments;
  for (int i = 0; i < BLOCKS; i++) {
    mi_free(blocks[i]);
    if (i == BLOCKS / 2) CHECK_CMP(memory_gauges().abandoned, >, 0);
  }
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_CMP(memory_gauges().segments, <, segments);
  CHECK_CMP(mi_heap_get()->tld->stats.pages.current, <, pages);
  memory_check();
}

static pthread_barrier_t together;

static void* free_a_share(void* arg) {
  size_t first = *(size_t*)arg;
  void* small = mi_malloc(64);
  void* medium = mi_malloc(16384);
  pthread_barrier_wait(&together);
  for (size_t i = first; i < (size_t)PRODUCERS * BLOCKS; i += MOST_THREADS) mi_free(blocks[i]);
  pthread_barrier_wait(&together);
  mi_free(small);
  mi_free(medium);
  return NULL;
}

/* Several at once, in the same pages. */
static void freed_by_several(size_t size) {
  for (int i = 0; i < PRODUCERS; i++) left_by_a_thread(size, blocks + i * BLOCKS);
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  pthread_t threads[MOST_THREADS];
  size_t firsts[MOST_THREADS];
  pthread_barrier_init(&together, NULL, MOST_THREADS + 1);
  for (size_t i = 0; i < MOST_THREADS; i++) {
    firsts[i] = i;
    CHECK_EQ(pthread_create(&threads[i], NULL, free_a_share, &firsts[i]), 0);
  }
  pthread_barrier_wait(&together);
  pthread_barrier_wait(&together);
  CHECK_EQ(memory_gauges().abandoned, 0);
  for (size_t i = 0; i < MOST_THREADS; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&together);
  mi_collect(true);
  memory_check();
}

/* By a thread that never allocates. */
static void* free_them_all(void* arg) {
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  return arg;
}

static void freed_without_a_heap(size_t size) {
  left_by_a_thread(size, blocks);
  int64_t segments = memory_gauges().segments;
  int64_t threads = memory_gauges().threads;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_them_all, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_CMP(memory_gauges().segments, <, segments);
  CHECK_EQ(memory_gauges().threads, threads);
  memory_check();
}

int main(void) {
  void* small = mi_malloc(64);
  void* medium = mi_malloc(16384);
  left_and_freed(16);
  left_and_freed(1000);
  left_and_freed(16384);
  freed_without_a_heap(16);
  freed_without_a_heap(1000);
  freed_without_a_heap(16384);
  freed_by_several(100);
  freed_by_several(1000);
  freed_by_several(3000);
  mi_free(small);
  mi_free(medium);
  return 0;
}
