/* A thread allocates a lot and falls asleep; another one frees all of that, and then needs as much for blocks of another
   size. It gets the memory that it freed: the process never holds both. */
#include "rss.h"

enum { BYTES = 256 << 20 };

static pthread_barrier_t step;
static void** theirs;
static size_t size_of_theirs;

static void** fill(size_t size) {
  size_t count = BYTES / size;
  void** blocks = mi_malloc(count * sizeof(void*));
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mi_malloc(size);
    memset(blocks[i], 1, size);
  }
  return blocks;
}

static void free_all(void** blocks, size_t size) {
  for (size_t i = 0; i < BYTES / size; i++) mi_free(blocks[i]);
  mi_free(blocks);
}

static void* sleeper(void* arg) {
  theirs = fill(size_of_theirs);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return arg;
}

static void run(size_t start, size_t first, size_t second) {
  pthread_t thread;
  size_of_theirs = first;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  CHECK_CMP(memory_resident(), >=, start + BYTES / first * first);
  free_all(theirs, first);
  /* Free memory waits for up to four times purge_delay, and for a look at it. */
  collect_for(600);
  void** mine = fill(second);
  char name[100];
  snprintf(name, sizeof(name), "%zu bytes each in the sleeper, then %zu here", first, second);
  /* The lists of pointers count too. */
  require_rss(name, start, BYTES + BYTES / second * sizeof(void*) + 24 * MIB);
  free_all(mine, second);
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  mi_collect(true);
}

int main(void) {
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  pthread_barrier_init(&step, NULL, 2);
  run(start, 64, 200);
  run(start, 1000, 1000);
  run(start, 5000, 100000);
  run(start, 100000, 5000);
  run(start, 1000000, 64);
  run(start, 5000000, 1000);
  return 0;
}
