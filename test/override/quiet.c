/* Threads churn blocks of 16 bytes to 1 MiB, free all of them, their own or those of others, and fall asleep. Nobody
   calls the allocator any more. Two seconds later memory is back. */
#include <pthread.h>

#include "ours.h"
#include "proc.h"
#include "random.h"

enum { MOST_THREADS = 16, MOST_BLOCKS = 1 << 16, PEAK = 256 << 20, ROUNDS = 3 };

/* What may stay: 16 MiB. */
#define MOST_LEFT (16 * MIB)

typedef struct pool_s {
  size_t count;
  size_t bytes;
  struct {
    char* p;
    size_t size;
  } blocks[MOST_BLOCKS];
} pool_t;

static pool_t pools[MOST_THREADS];
static size_t threads;
static bool swap; /* each frees what its neighbour has at last */
static pthread_barrier_t step;

static void take_out(pool_t* pool, size_t i) {
  free(pool->blocks[i].p);
  pool->bytes -= pool->blocks[i].size;
  pool->blocks[i] = pool->blocks[--pool->count];
}

static void fill(pool_t* pool, random_t* rng, size_t bytes) {
  while (pool->bytes < bytes && pool->count < MOST_BLOCKS) {
    size_t size = ((size_t)16 << random_below(rng, 17)) - random_below(rng, 8);
    char* p = opaque(malloc(size));
    CHECK(p != NULL);
    memset(p, 1, size);
    pool->blocks[pool->count].p = p;
    pool->blocks[pool->count++].size = size;
    pool->bytes += size;
  }
}

static void churn(size_t thread) {
  random_t rng = {thread + 1};
  pool_t* pool = &pools[thread];
  for (int i = 0; i < ROUNDS; i++) {
    for (size_t half = pool->count / 2; pool->count > half;) {
      take_out(pool, random_below(&rng, pool->count));
    }
    fill(pool, &rng, PEAK / threads);
  }
}

static void* work(void* arg) {
  size_t thread = (size_t)((pool_t*)arg - pools);
  random_t rng = {thread + 100};
  churn(thread);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  pool_t* pool = &pools[swap ? (thread + 1) % threads : thread];
  while (pool->count > 0) take_out(pool, random_below(&rng, pool->count));
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return NULL;
}

static void require_quiet(size_t start, size_t peak) {
  for (int ms = 0; ms < 2000 && proc_resident() > start + MOST_LEFT; ms += 50) sleep_ms(50);
  size_t left = proc_resident() - start;
  printf("  %zu MiB, then %.1f MiB\n", (peak - start) / MIB, (double)left / (double)MIB);
  fflush(stdout);
  CHECK_CMP(left, <=, MOST_LEFT);
}

/* Blocks of which there are few, so that few frees tell of much memory. */
static size_t few, size_of_few;

static void* allocate_few(void* arg) {
  for (size_t i = 0; i < few; i++) {
    pools[0].blocks[i].p = opaque(malloc(size_of_few));
    memset(pools[0].blocks[i].p, 1, size_of_few);
  }
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return arg;
}

static size_t start_here(void) {
  memset(pools, 0, sizeof(pools)); /* so that it is resident already */
  CHECK(is_ours(opaque(malloc(10))));
  return proc_resident();
}

static void run_threads(void) {
  pthread_t ids[MOST_THREADS];
  size_t start = start_here();
  pthread_barrier_init(&step, NULL, (unsigned)threads + 1);
  for (size_t i = 0; i < threads; i++) {
    CHECK_EQ(pthread_create(&ids[i], NULL, work, &pools[i]), 0);
  }
  pthread_barrier_wait(&step);
  size_t peak = proc_resident();
  CHECK_CMP(peak - start, >=, (size_t)PEAK);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  require_quiet(start, peak);
}

static void run_few(void) {
  pthread_t id;
  size_t start = start_here();
  pthread_barrier_init(&step, NULL, 2);
  CHECK_EQ(pthread_create(&id, NULL, allocate_few, NULL), 0);
  pthread_barrier_wait(&step);
  size_t peak = proc_resident();
  for (size_t i = 0; i < few; i++) free(pools[0].blocks[i].p);
  require_quiet(start, peak);
}

static void run_alone(void) {
  random_t rng = {7};
  threads = 1;
  size_t start = start_here();
  churn(0);
  size_t peak = proc_resident();
  CHECK_CMP(peak - start, >=, (size_t)PEAK);
  while (pools[0].count > 0) take_out(&pools[0], random_below(&rng, pools[0].count));
  require_quiet(start, peak);
}

int main(void) {
  in_child("one thread", run_alone);
  threads = 4;
  in_child("4 threads", run_threads);
  threads = MOST_THREADS;
  in_child("16 threads", run_threads);
  static const size_t counts_and_sizes[][2] = {{3, 31000000}, {31, 2000000}, {1500, 16000}};
  for (size_t i = 0; i < sizeof(counts_and_sizes) / sizeof(counts_and_sizes[0]); i++) {
    few = counts_and_sizes[i][0];
    size_of_few = counts_and_sizes[i][1];
    in_child("few large blocks, freed by another thread", run_few);
  }
  return 0;
}
