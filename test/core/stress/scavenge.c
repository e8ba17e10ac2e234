/* Threads allocate and end, others free what they allocated, and one scavenges all the time: pages are purged under
   owners that are awake, asleep, ending, and gone. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/fence.h"
#include "os/os.h"
#include "os/rare.h"
#include "page/scavenge.h"
#include "random.h"
#include "segment/purger.h"

enum {
  PRODUCERS = 2,
  CONSUMERS = 2,
  BATCH = 2000,
  GENERATIONS = (TEST_VARIANT_CHECKED ? 50 : 150) / TEST_SLOWNESS,
  PLACES = 8
};

typedef struct batch_s {
  size_t size;
  void* blocks[BATCH];
} batch_t;

static _Atomic(batch_t*) places[PLACES];
static _Atomic(bool) over;
static _Atomic(int) producing;

static void check_and_free(batch_t* batch) {
  for (int i = 0; i < BATCH; i++) {
    const uint8_t* p = batch->blocks[i];
    CHECK_EQ(p[0], (uint8_t)i);
    CHECK_EQ(p[batch->size - 1], (uint8_t)i);
    mi_free(batch->blocks[i]);
  }
  mi_free(batch);
}

static void* consume(void* seed) {
  random_t random = {*(uint64_t*)seed};
  for (;;) {
    bool last = atomic_load(&producing) == 0;
    batch_t* batch = NULL;
    for (int i = 0; i < PLACES && batch == NULL; i++) {
      batch = atomic_exchange(&places[(i + random_below(&random, PLACES)) % PLACES], NULL);
    }
    for (int i = 0; last && i < PLACES && batch == NULL; i++) {
      batch = atomic_exchange(&places[i], NULL);
    }
    if (batch != NULL) {
      check_and_free(batch);
    } else if (last) {
      return NULL;
    } else {
      mi_os_yield(100);
    }
  }
}

/* At times with blocks in between that this thread frees itself: then only some of what is free is on its own lists. */
static batch_t* fill(random_t* random) {
  static const size_t sizes[] = {16, 32, 100, 640, 5000, 20000};
  batch_t* batch = mi_malloc(sizeof(batch_t));
  batch->size = sizes[random_below(random, sizeof(sizes) / sizeof(sizes[0]))];
  uint64_t every = random_below(random, 2) == 0 ? 0 : 1 + random_below(random, 20);
  void* between[BATCH] = {0};
  for (int i = 0; i < BATCH; i++) {
    uint8_t* p = mi_malloc(batch->size);
    p[0] = p[batch->size - 1] = (uint8_t)i;
    batch->blocks[i] = p;
    if (every > 0 && (uint64_t)i % every == 0) between[i] = mi_malloc(batch->size);
  }
  for (int i = 0; i < BATCH; i++) mi_free(between[i]);
  return batch;
}

static void* produce(void* seed) {
  random_t random = {*(uint64_t*)seed};
  mi_heap_t* heap = mi_heap_new(); /* its pages go to the backing heap, and then to nobody */
  if (random_below(&random, 2) == 0) mi_heap_set_default(heap);
  for (int n = 0; n < 4; n++) {
    batch_t* batch = fill(&random);
    batch = atomic_exchange(&places[random_below(&random, PLACES)], batch);
    if (batch != NULL) check_and_free(batch);
    if (random_below(&random, 4) == 0) mi_os_yield(100); /* asleep */
  }
  if (random_below(&random, 2) == 0) mi_heap_delete(heap);
  heaps_check();
  return NULL;
}

static void* scavenge(void* arg) {
  while (!atomic_load(&over)) mi_scavenge_all();
  return arg;
}

/* Like the purger, which takes pages at rest, too. It may neither allocate nor call the C library. */
static void scavenge_as_purger(void) {
  while (!atomic_load(&over)) {
    mi_scavenge_all();
    mi_purge_budget_t budget = {SIZE_MAX};
    (void)mi_scavenge_round(INT64_MAX, &budget);
  }
}

static void* generations(void* seed) {
  for (int n = 0; n < GENERATIONS; n++) {
    pthread_t thread;
    ++*(uint64_t*)seed;
    CHECK_EQ(pthread_create(&thread, NULL, produce, seed), 0);
    pthread_join(thread, NULL);
  }
  atomic_fetch_sub(&producing, 1);
  return NULL;
}

int main(void) {
  pthread_t producers[PRODUCERS];
  pthread_t consumers[CONSUMERS];
  pthread_t scavenger;
  uint64_t seeds[PRODUCERS + CONSUMERS];
  random_t random = {test_seed()};
  for (int i = 0; i < PRODUCERS + CONSUMERS; i++) seeds[i] = random_next(&random);
  atomic_store(&producing, PRODUCERS);
  mi_fence_prepare_early();
  CHECK_EQ(pthread_create(&scavenger, NULL, scavenge, NULL), 0);
  if (mi_rare_get(mi_rare_purger) == 0) CHECK(mi_os_helper_start(scavenge_as_purger));
  for (int i = 0; i < CONSUMERS; i++)
    CHECK_EQ(pthread_create(&consumers[i], NULL, consume, &seeds[PRODUCERS + i]), 0);
  for (int i = 0; i < PRODUCERS; i++)
    CHECK_EQ(pthread_create(&producers[i], NULL, generations, &seeds[i]), 0);
  for (int i = 0; i < PRODUCERS; i++) pthread_join(producers[i], NULL);
  for (int i = 0; i < CONSUMERS; i++) pthread_join(consumers[i], NULL);
  atomic_store(&over, true);
  pthread_join(scavenger, NULL);
  if (mi_rare_get(mi_rare_purger) == 0) mi_os_helper_join();
  for (int i = 0; i < PLACES; i++) CHECK_EQ((uintptr_t)places[i], 0);
  mi_thread_init(); /* who has a heap adopts what the others left */
  mi_purger_end();  /* units that it is purging are nowhere */
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_CMP(memory_gauges().segments, <=, 1);
  return 0;
}
