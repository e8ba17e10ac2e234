/* A thread frees some of its blocks itself, and falls asleep; another thread frees the rest. What was free in the same
   pages on both sides comes back, though their owner never looks. */
#include "os/fence.h"
#include "os/rare.h"
#include "rss.h"

enum { BYTES = 100 << 20 };

static pthread_barrier_t step;
static void** blocks;
static size_t size_of_blocks, count, every;

static bool owner_is_last;

static void free_own(void) {
  for (size_t i = 0; i < count; i += every) mi_free(blocks[i]);
}

static void free_rest(void) {
  for (size_t i = 0; i < count; i++) {
    if (i % every != 0) mi_free(blocks[i]);
  }
}

static void* sleeper(void* arg) {
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mi_malloc(size_of_blocks);
    memset(blocks[i], 1, size_of_blocks);
  }
  if (!owner_is_last) free_own();
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep, or until others have freed */
  if (owner_is_last) {
    sleep_ms(1000); /* until rounds have looked at what others freed, and found nothing more */
    free_own();
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step); /* asleep */
  }
  return arg;
}

/* The sleeper frees one block in `nth`, before the other thread frees the rest, or as the last one. */
static void run(size_t size, size_t nth, bool last) {
  size_of_blocks = size;
  every = nth;
  owner_is_last = last;
  count = BYTES / size;
  blocks = mi_malloc(count * sizeof(void*));
  memset(blocks, 0, count * sizeof(void*));
  size_t start = memory_resident();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  CHECK_CMP(memory_resident(), >=, start + BYTES / 2);
  free_rest();
  if (last) {
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
  }
  collect_for(1000);
  char name[100];
  snprintf(name, sizeof(name), "%zu bytes, one in %zu freed by the sleeper%s", size, nth,
           last ? ", last" : "");
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
  for (int last = 0; last < 2; last++) {
    run(16, 2, last);
    run(64, 20, last);
    run(256, 500, last);
    run(1024, 2, last);
    run(3000, 2, last);
  }
  return 0;
}
