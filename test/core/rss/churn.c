/* Threads start and end without end. Each frees what an earlier one left, allocates, and leaves some blocks for later
   ones: memory does not grow with their number. */
#include "rss.h"

enum { THREADS = 40000, AT_ONCE = 4, KEPT = 2000, EACH = 100 };

static _Atomic(void*) kept[KEPT];
static random_t generator;

static void* live(void* arg) {
  random_t r = {*(uint64_t*)arg};
  for (int i = 0; i < EACH; i++) {
    size_t size = 1 + random_size(&r) % 32768;
    char* p = mi_malloc(size);
    p[0] = p[size - 1] = 1;
    mi_free(atomic_exchange(&kept[random_below(&r, KEPT)], p));
  }
  return NULL;
}

static size_t run_threads(int count) {
  size_t most = 0;
  for (int i = 0; i < count; i += AT_ONCE) {
    pthread_t threads[AT_ONCE];
    uint64_t seeds[AT_ONCE];
    for (int k = 0; k < AT_ONCE; k++) {
      seeds[k] = random_next(&generator);
      CHECK_EQ(pthread_create(&threads[k], NULL, live, &seeds[k]), 0);
    }
    for (int k = 0; k < AT_ONCE; k++) pthread_join(threads[k], NULL);
    if (i % 100 == 0 && memory_resident() > most) most = memory_resident();
  }
  return most;
}

int main(void) {
  generator.state = test_seed();
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  size_t early = run_threads(THREADS / 2);
  size_t late = run_threads(THREADS / 2);
  printf("at most %zu KiB above the start with the first half of the threads, %zu KiB with the "
         "second\n",
         (early - start) / 1024, (late - start) / 1024);
  /* What was freed a moment ago is not purged yet: the peaks differ by some MiB. Were anything lost, it would
     be megabytes for every thousand threads. */
  CHECK_CMP(late, <=, early + 8 * MIB);
  for (int i = 0; i < KEPT; i++) mi_free(atomic_load(&kept[i]));
  mi_collect(true);
  require_rss("when all is freed", start, 8 * MIB);
  return 0;
}
