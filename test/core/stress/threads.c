/* Threads allocate, write a pattern, hand blocks to each other, verify and free, while threads come and go
   and first-class heaps are deleted under blocks that others free. At barriers everybody stands still and
   all structures are walked. MIHEAP_TEST_THREADS, MIHEAP_TEST_STEPS: how many, how long. */
#include <pthread.h>
#include <stdatomic.h>

#include "heap/thread.h"
#include "memory.h"
#include "os/rare.h"
#include "pattern.h"
#include "random.h"
#include "segment/purger.h"

enum {
  THREADS = 4,
  MOST_THREADS = 64,
  SHARED = 256,
  OWN = 64,
  GENERATIONS = 6,
  PHASES = 3,
  STEPS = 6000
};

/* At the front of each block of this size or more; smaller ones are all pattern. */
typedef struct block_s {
  void* p;
  size_t size;
  uint64_t seed;
} block_t;

/* A slot's block, passed on by exchanging pointers to descriptions from the C library. */
static _Atomic(block_t*) shared[SHARED];
static pthread_barrier_t barrier;
static uint64_t steps;

typedef struct worker_s {
  random_t rng;
  mi_heap_t* heap; /* NULL: none now */
  block_t* own[OWN];
  unsigned index;
} worker_t;

/* Only where the system is made to fail may an allocation. */
static bool failed(const void* p) {
  if (p != NULL) return false;
  CHECK_EQ(errno, ENOMEM);
  CHECK_CMP(mi_rare_get(mi_rare_os_fail), >, 0);
  return true;
}

/* NULL: no memory. */
static block_t* make(worker_t* w) {
  mi_heap_t* backing = mi_heap_get_backing();
  if (failed(backing)) return NULL;
  block_t* b = malloc(sizeof(*b));
  CHECK(b != NULL);
  b->size = random_size(&w->rng);
  b->seed = random_next(&w->rng);
  bool zero = random_one_in(&w->rng, 4);
  mi_heap_t* heap = w->heap != NULL && random_one_in(&w->rng, 2) ? w->heap : backing;
  if (random_one_in(&w->rng, 8)) {
    size_t align = (size_t)1 << random_below(&w->rng, 14);
    size_t offset = random_one_in(&w->rng, 2) ? random_below(&w->rng, 100) : 0;
    b->p = zero ? mi_heap_zalloc_aligned_at(heap, b->size, align, offset)
                : mi_heap_malloc_aligned_at(heap, b->size, align, offset);
    if (b->p != NULL) CHECK_EQ(((uintptr_t)b->p + offset) % align, 0);
  } else {
    b->p = zero ? mi_heap_zalloc(heap, b->size) : mi_heap_malloc(heap, b->size);
  }
  if (failed(b->p)) {
    free(b);
    return NULL;
  }
  if (zero) CHECK(is_all_zero(b->p, b->size));
  pattern_fill(b->p, b->size, b->seed);
  return b;
}

static void unmake(block_t* b) {
  if (b == NULL) return;
  CHECK(pattern_holds(b->p, b->size, b->seed));
  mi_free(b->p);
  free(b);
}

/* Of whatever thread's block. */
static void resize(worker_t* w, block_t* b) {
  size_t size = random_size(&w->rng);
  void* p = mi_realloc(b->p, size);
  if (failed(p)) return;
  CHECK(pattern_holds_prefix(p, size < b->size ? size : b->size, b->size, b->seed));
  b->p = p;
  b->size = size;
  b->seed = random_next(&w->rng);
  pattern_fill(p, size, b->seed);
}

static void change_heap(worker_t* w) {
  if (w->heap == NULL) {
    w->heap = mi_heap_new();
    (void)failed(w->heap);
  } else {
    mi_heap_delete(w->heap);
    w->heap = NULL;
  }
}

static block_t* exchange(_Atomic(block_t*)* place, block_t* b) {
  return atomic_exchange_explicit(place, b, memory_order_acq_rel);
}

static void step(worker_t* w) {
  size_t kind = random_below(&w->rng, 1000);
  block_t** own = &w->own[random_below(&w->rng, OWN)];
  _Atomic(block_t*)* place = &shared[random_below(&w->rng, SHARED)];
  if (kind < 2) {
    mi_collect(random_one_in(&w->rng, 4));
  } else if (kind < 10) {
    change_heap(w);
  } else if (kind < 400) {
    if (*own == NULL) {
      *own = make(w);
    } else {
      unmake(*own);
      *own = NULL;
    }
  } else if (kind < 700) {
    *own = exchange(place, *own);
  } else if (kind < 750) {
    block_t* b = exchange(place, NULL);
    if (b != NULL) resize(w, b);
    unmake(exchange(place, b));
  } else {
    unmake(exchange(place, random_one_in(&w->rng, 2) ? make(w) : NULL));
  }
}

static void quiet_point(worker_t* w) {
  bool one = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
  /* A purger does not wait at the barrier. */
  if (one && mi_rare_get(mi_rare_purger) == 0) memory_check();
  heaps_check();
  pthread_barrier_wait(&barrier);
  (void)w;
}

static void* work(void* arg) {
  worker_t* w = arg;
  for (int phase = 0; phase < PHASES; phase++) {
    for (uint64_t i = 0; i < steps; i++) step(w);
    quiet_point(w);
  }
  for (int i = 0; i < OWN; i++) {
    /* Half of the blocks outlive the thread that holds them. */
    block_t* b = w->own[i];
    w->own[i] = NULL;
    if (b != NULL && random_one_in(&w->rng, 2))
      b = exchange(&shared[random_below(&w->rng, SHARED)], b);
    unmake(b);
  }
  /* Sometimes the thread ends with a heap of its own. */
  if (w->heap != NULL && random_one_in(&w->rng, 2)) change_heap(w);
  return NULL;
}

int main(void) {
  static worker_t workers[MOST_THREADS];
  pthread_t threads[MOST_THREADS];
  random_t rng = {test_seed()};
  unsigned count = (unsigned)test_number("MIHEAP_TEST_THREADS", THREADS);
  CHECK_CMP(count, <=, MOST_THREADS);
  steps = test_number("MIHEAP_TEST_STEPS",
                      STEPS / (TEST_SLOWNESS > 1 ? 3 : 1) / (TEST_VARIANT_CHECKED ? 2 : 1));
  if (random_one_in(&rng, 2)) mi_option_set(mi_option_purge_delay, (long)random_below(&rng, 3));
  if (random_one_in(&rng, 4)) mi_option_set(mi_option_abandoned_reclaim_on_free, 0);
  pthread_barrier_init(&barrier, NULL, count);
  for (int generation = 0; generation < GENERATIONS; generation++) {
    for (unsigned i = 0; i < count; i++) {
      workers[i] = (worker_t){.rng = {random_next(&rng)}, .index = i};
      CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
    memory_check();
    CHECK_EQ(memory_gauges().threads, mi_heap_is_initialized(mi_heap_default));
  }
  for (int i = 0; i < SHARED; i++) unmake(exchange(&shared[i], NULL));
  mi_rare_set(mi_rare_os_fail, 0);
  mi_purger_end(); /* units that it is purging are nowhere */
  mi_thread_init();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_EQ(memory_gauges().huge, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
