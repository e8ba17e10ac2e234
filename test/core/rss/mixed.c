/* A thread frees some of its blocks itself, and falls asleep; another thread frees the rest. What was free in the same
   pages on both sides comes back, though their owner never looks. */
#include "os/fence.h"
#include "os/rare.h"
#include "rss.h"

enum { BYTES = 100 << 20 };

static pthread_barrier_t step;
static void** blocks;
static size_t size_of_blocks, count, every;

static void* sleeper(void* arg) {
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mi_malloc(size_of_blocks);
    memset(blocks[i], 1, size_of_blocks);
  }
  for (size_t i = 0; i < count; i += every) mi_free(blocks[i]);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return arg;
}

/* The sleeper frees one block in `nth`. */
static void run(size_t size, size_t nth) {
  size_of_blocks = size;
  every = nth;
  count = BYTES / size;
  blocks = mi_malloc(count * sizeof(void*));
  memset(blocks, 0, count * sizeof(void*));
  size_t start = memory_resident();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  CHECK_CMP(memory_resident(), >=, start + BYTES / 2);
  for (size_t i = 0; i < count; i++) {
    if (i % nth != 0) mi_free(blocks[i]);
  }
  collect_for(1000);
  char name[100];
  snprintf(name, sizeof(name), "%zu bytes, one in %zu freed by the sleeper", size, nth);
  require_rss(name, start, 3 * MIB);
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  mi_free(blocks);
  mi_collect(true);
}

int main(void) {
  mi_free(mi_malloc(1));
  mi_fence_prepare_early(); /* as where malloc is ours */
  mi_rare_set(mi_rare_purger, 1);
  pthread_barrier_init(&step, NULL, 2);
  run(16, 2);
  run(64, 20);
  run(256, 500);
  run(1024, 2);
  run(3000, 2);
  return 0;
}
