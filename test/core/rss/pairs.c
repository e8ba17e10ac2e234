/* Pairs of threads of which one only allocates and the other only frees. At two thousand blocks a second each takes
   an hour to come to this many: memory does not grow after the first tenth. */
#include "rss.h"

enum { PAIRS = 2, OPERATIONS = 2000 * 3600, RING = 4096 };

typedef struct pair_s {
  uint64_t seed;
  _Atomic(size_t) put;
  _Atomic(size_t) taken;
  void* ring[RING];
} pair_t;

static pair_t pairs[PAIRS];
static _Atomic(size_t) most_early;
static _Atomic(size_t) most_late;

static void raise_to(_Atomic(size_t)* most, size_t value) {
  size_t now = atomic_load(most);
  while (value > now && !atomic_compare_exchange_weak(most, &now, value)) {
  }
}

static void* allocate(void* arg) {
  pair_t* pair = arg;
  random_t r = {pair->seed};
  for (size_t i = 0; i < OPERATIONS; i++) {
    while (i - atomic_load_explicit(&pair->taken, memory_order_acquire) == RING) sched_yield();
    size_t size = 1 + random_size(&r) % 16384;
    char* p = mi_malloc(size);
    p[0] = p[size - 1] = 1;
    pair->ring[i % RING] = p;
    atomic_store_explicit(&pair->put, i + 1, memory_order_release);
    if (i % (OPERATIONS / 100) == 0) {
      raise_to(i < OPERATIONS / 10 ? &most_early : &most_late, memory_resident());
    }
  }
  return NULL;
}

static void* release(void* arg) {
  pair_t* pair = arg;
  for (size_t i = 0; i < OPERATIONS; i++) {
    while (atomic_load_explicit(&pair->put, memory_order_acquire) == i) sched_yield();
    mi_free(pair->ring[i % RING]);
    atomic_store_explicit(&pair->taken, i + 1, memory_order_release);
  }
  return NULL;
}

int main(void) {
  random_t r = {test_seed()};
  pthread_t threads[2 * PAIRS];
  size_t start = memory_resident();
  for (int i = 0; i < PAIRS; i++) {
    pairs[i].seed = random_next(&r);
    CHECK_EQ(pthread_create(&threads[2 * i], NULL, allocate, &pairs[i]), 0);
    CHECK_EQ(pthread_create(&threads[2 * i + 1], NULL, release, &pairs[i]), 0);
  }
  for (int i = 0; i < 2 * PAIRS; i++) pthread_join(threads[i], NULL);
  printf("at most %zu KiB above the start in the first tenth, %zu KiB after it\n",
         (most_early - start) / 1024, (most_late - start) / 1024);
  /* The rings hold up to 16 MiB, or nothing, as the threads happen to run. Were a thousandth of the blocks lost, it
     would be as much. */
  CHECK_CMP(most_late, <=, most_early + 16 * MIB);
  mi_collect(true);
  require_rss("when all is freed", start, 8 * MIB);
  return 0;
}
