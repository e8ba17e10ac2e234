/* After a peak of 1 GiB of blocks of all sizes, threads free all of them and fall asleep without a word. Another one
   still allocates a little now and then: a second later nearly all memory is back. */
#include "rss.h"

enum { THREADS = 2 };

static uint64_t seed;
static blocks_t blocks[THREADS];
static pthread_barrier_t step;

/* Its own blocks, or those of its neighbour. */
static size_t offset;

static void* work(void* arg) {
  size_t i = (size_t)((blocks_t*)arg - blocks);
  random_t r = {seed + i};
  blocks_fill(&blocks[i], &r, 1024 * MIB / THREADS + 1);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  blocks_free(&blocks[(i + offset) % THREADS], &r);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return NULL;
}

static void run(const char* name, size_t start, size_t whose) {
  pthread_t threads[THREADS];
  offset = whose;
  for (int i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, work, &blocks[i]), 0);
  pthread_barrier_wait(&step);
  CHECK_CMP(memory_resident(), >=, start + 1024 * MIB);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  for (int ms = 0; ms < 1000; ms += 10) {
    void* p = mi_malloc(100);
    mi_free(p);
    sleep_ms(10);
  }
  require_rss(name, start, 16 * MIB);
  pthread_barrier_wait(&step);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  mi_collect(true);
}

int main(void) {
  seed = test_seed();
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  pthread_barrier_init(&step, NULL, THREADS + 1);
  run("each freed its own blocks", start, 0);
  run("each freed another's blocks", start, 1);
  return 0;
}
