/* After a peak of 1 GiB of blocks of all sizes, held by several threads that free each other's, nearly all memory is
   back after a forced collect. */
#include "rss.h"

enum { THREADS = 4 };

static blocks_t blocks[THREADS];
static uint64_t seed;
static pthread_barrier_t step;
static _Atomic(size_t) peak;

static void* work(void* arg) {
  size_t i = (size_t)((blocks_t*)arg - blocks);
  random_t r = {seed + i};
  blocks_fill(&blocks[i], &r, 1024 * MIB / THREADS);
  pthread_barrier_wait(&step);
  if (i == 0) atomic_store(&peak, memory_resident());
  pthread_barrier_wait(&step);
  blocks_free(&blocks[(i + 1) % THREADS], &r);
  pthread_barrier_wait(&step); /* a thread that ends leaves its pages to the others */
  return NULL;
}

static void one_thread(size_t start) {
  random_t r = {seed};
  blocks_fill(&blocks[0], &r, 1024 * MIB);
  CHECK_CMP(memory_resident(), >=, start + 1024 * MIB);
  blocks_free(&blocks[0], &r);
  mi_collect(true);
  require_rss("one thread, after a forced collect", start, 8 * MIB);
}

static void many_threads(size_t start) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&step, NULL, THREADS);
  for (int i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, work, &blocks[i]), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK_CMP(peak, >=, start + 1024 * MIB);
  mi_collect(true);
  require_rss("four threads that ended, after a forced collect", start, 8 * MIB);
}

int main(void) {
  seed = test_seed();
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  one_thread(start);
  many_threads(start);
  return 0;
}
