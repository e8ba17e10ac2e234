/* A thread with pages to spare frees what an ended thread left: it does not take that memory over, and yet
   each page goes back with its last block. */
#include <pthread.h>

#include "check.h"
#include "heap/heap.h"
#include "memory.h"

enum { BLOCKS = 3000 };

static void* blocks[BLOCKS];

/* Also blocks that the thread itself freed, and pages that were not laid out to their end. */
static void* leave(void* arg) {
  size_t size = *(size_t*)arg;
  for (int i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(size);
  for (int i = 0; i < BLOCKS; i += 3) {
    mi_free(blocks[i]);
    blocks[i] = NULL;
  }
  return NULL;
}

static void left_and_freed(size_t size) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, leave, &size), 0);
  pthread_join(thread, NULL);
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

int main(void) {
  void* small = mi_malloc(16);
  void* medium = mi_malloc(16384);
  left_and_freed(16);
  left_and_freed(1000);
  left_and_freed(16384);
  mi_free(small);
  mi_free(medium);
  return 0;
}
