/* Threads free, resize and visit large blocks that come from what all of them share, and end. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/rare.h"
#include "pattern.h"
#include "random_threads.h"

enum { THREADS = 3, GENERATIONS = 4, PLACES = 60, STEPS = 6000 / TEST_SLOWNESS };
enum { KIB = 1024, LEAST = 33 * KIB, MOST = 700 * KIB };

typedef struct block_s {
  size_t size;
  uint64_t seed;
} block_t;

static _Atomic(block_t*) shared[PLACES];

static uint8_t* contents(block_t* b) { return (uint8_t*)(b + 1); }

static block_t* filled(block_t* b, size_t size, uint64_t seed) {
  CHECK(b != NULL);
  *b = (block_t){size, seed};
  pattern_fill(contents(b), size - sizeof(*b), seed);
  return b;
}

static size_t random_large(random_t* rng) { return LEAST + random_below(rng, MOST - LEAST); }

static block_t* make(random_t* rng) {
  size_t size = random_large(rng);
  if (random_one_in(rng, 4)) {
    uint8_t* p = mi_zalloc(size);
    for (size_t i = 0; i < size; i += 4000) CHECK_EQ(p[i], 0);
    return filled((block_t*)p, size, random_next(rng));
  }
  return filled(mi_malloc(size), size, random_next(rng));
}

static void check_block(block_t* b, size_t size) {
  size_t filled_size = b->size - sizeof(*b);
  CHECK(pattern_holds_prefix(contents(b), size - sizeof(*b), filled_size, b->seed));
}

static block_t* resized(random_t* rng, block_t* b) {
  size_t size = random_large(rng);
  size_t least = size < b->size ? size : b->size;
  b = mi_realloc(b, size);
  check_block(b, least);
  return filled(b, size, random_next(rng));
}

static bool count_block(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* seen) {
  (void)heap, (void)area, (void)size;
  *(size_t*)seen += block != NULL;
  return true;
}

static void step(random_t* rng) {
  _Atomic(block_t*)* place = &shared[random_below(rng, PLACES)];
  block_t* b = atomic_exchange(place, NULL);
  if (b == NULL) {
    b = make(rng);
    CHECK(mi_heap_contains_block(mi_heap_get_backing(), b));
  } else if (random_one_in(rng, 3)) {
    b = resized(rng, b);
  } else {
    check_block(b, b->size);
    mi_free(b);
    b = NULL;
  }
  b = atomic_exchange(place, b);
  mi_free(b);
  if (random_one_in(rng, 50)) {
    size_t seen = 0;
    CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, count_block, &seen));
    CHECK_CMP(seen, <=, THREADS + PLACES);
  }
}

int main(void) {
  uint64_t seed = test_seed();
  mi_rare_set(mi_rare_communal, 1);
  for (int generation = 0; generation < GENERATIONS; generation++) {
    random_threads(THREADS, STEPS, seed + (uint64_t)(generation * THREADS), step);
    memory_check();
  }
  for (int i = 0; i < PLACES; i++) mi_free(atomic_load(&shared[i]));
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
