/* Threads allocate, resize and free blocks of 20 to 90 MiB, most of which are mappings, and free
   each other's, while those that are kept are cut, made longer and given back. */
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/rare.h"
#include "random_threads.h"

enum { THREADS = 3, PLACES = 5, STEPS = 100, DELAY_MS = 10 };
#define MIB ((size_t)1 << 20)
#define STRIDE (MIB / 2)

/* At the beginning of each STRIDE of a block. */
typedef struct stamp_s {
  size_t size;
  size_t offset;
} stamp_t;

static _Atomic(uint8_t*) shared[PLACES];

static stamp_t* stamp_at(uint8_t* p, size_t offset) { return (stamp_t*)(p + offset); }

static uint8_t* stamped(uint8_t* p, size_t size) {
  for (size_t i = 0; i + sizeof(stamp_t) <= size; i += STRIDE) {
    *stamp_at(p, i) = (stamp_t){size, i};
  }
  return p;
}

static void check_block(uint8_t* p, size_t size, size_t stamped_size) {
  for (size_t i = 0; i + sizeof(stamp_t) <= size; i += STRIDE) {
    CHECK_EQ(stamp_at(p, i)->size, stamped_size);
    CHECK_EQ(stamp_at(p, i)->offset, i);
  }
}

static size_t random_huge(random_t* rng) { return 20 * MIB + random_below(rng, 70 * MIB); }

static uint8_t* may_fail(uint8_t* p) {
  if (p == NULL) CHECK_CMP(mi_rare_get(mi_rare_os_fail), >, 0);
  return p;
}

static uint8_t* make(random_t* rng) {
  size_t size = random_huge(rng);
  uint8_t* p;
  if (random_one_in(rng, 4)) {
    p = may_fail(mi_zalloc(size));
    for (size_t i = 0; p != NULL && i < size; i += 4000) CHECK_EQ(p[i], 0);
  } else if (random_one_in(rng, 4)) {
    size_t align = (size_t)4096 << random_below(rng, 14);
    p = may_fail(mi_malloc_aligned(size, align));
    CHECK_EQ((uintptr_t)p % align, 0);
  } else {
    p = may_fail(mi_malloc(size));
  }
  return p == NULL ? NULL : stamped(p, size);
}

static uint8_t* resized(random_t* rng, uint8_t* p) {
  size_t old = stamp_at(p, 0)->size;
  size_t size = random_huge(rng);
  uint8_t* moved = may_fail(mi_realloc(p, size));
  if (moved == NULL) return p;
  check_block(moved, size < old ? size : old, old);
  return stamped(moved, size);
}

static void step(random_t* rng) {
  _Atomic(uint8_t*)* place = &shared[random_below(rng, PLACES)];
  uint8_t* p = atomic_exchange(place, NULL);
  if (p == NULL) {
    p = make(rng);
  } else if (random_one_in(rng, 3)) {
    p = resized(rng, p);
  } else {
    check_block(p, stamp_at(p, 0)->size, stamp_at(p, 0)->size);
    mi_free(p);
    p = NULL;
  }
  mi_free(atomic_exchange(place, p));
  if (random_one_in(rng, 50)) usleep(2 * DELAY_MS * 1000); /* what is kept becomes due */
  if (random_one_in(rng, 50)) mi_collect(random_one_in(rng, 2));
}

int main(void) {
  uint64_t seed = test_seed();
  mi_option_set(mi_option_purge_delay, DELAY_MS);
  random_threads(THREADS, STEPS, seed, step);
  mi_rare_set(mi_rare_os_fail, 0);
  memory_check();
  for (int i = 0; i < PLACES; i++) {
    uint8_t* p = atomic_load(&shared[i]);
    if (p != NULL) check_block(p, stamp_at(p, 0)->size, stamp_at(p, 0)->size);
    mi_free(p);
  }
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
