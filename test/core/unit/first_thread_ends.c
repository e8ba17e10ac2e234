/* The thread that initialises miheap is not main; it ends, and its id goes to the next thread, and the next. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "pattern.h"

enum { BLOCKS = 300, THREADS = 20 };

static void* blocks[BLOCKS];
static uintptr_t ids[THREADS];

static size_t size_of(int i) { return (size_t)(i % 100 == 99 ? 3000000 : i * i); }

static void* replace(void* number) {
  uintptr_t n = (uintptr_t)number;
  ids[n] = mi_os_thread_id();
  for (int i = 0; i < BLOCKS; i++) {
    if (n > 0) {
      CHECK(pattern_holds(blocks[i], size_of(i), n - 1));
      mi_free(blocks[i]);
    }
    blocks[i] = mi_malloc(size_of(i));
    CHECK(blocks[i] != NULL);
    pattern_fill(blocks[i], size_of(i), n);
  }
  heaps_check();
  return NULL;
}

int main(void) {
  CHECK_EQ(memory_gauges().threads, 0);
  int same = 0;
  for (uintptr_t n = 0; n < THREADS; n++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, replace, (void*)n), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(memory_gauges().threads, 0);
    if (n > 0) same += ids[n] == ids[n - 1];
  }
  printf("%d of %d ids were those of the thread before\n", same, THREADS - 1);
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]); /* main's first call */
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
