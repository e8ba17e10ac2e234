/* Slots and their units: taken by one at a time, given back dirty or clean. */
#include <pthread.h>
#include <stdatomic.h>

#include "memory.h"
#include "random.h"
#include "segment/map.h"
#include "segment/purge.h"
#include "segment/slot.h"

static uint8_t* unit(mi_slot_ref_t ref, unsigned i) {
  return mi_slot_start(ref) + ((size_t)i << MI_UNIT_SHIFT);
}

static void take_and_release(void) {
  mi_slot_ref_t ref;
  bool zero = false;
  int64_t committed = memory_gauges().committed;
  CHECK(mi_slot_take(NULL, &ref, 1, &zero));
  CHECK(zero);
  CHECK_EQ((uintptr_t)mi_slot_start(ref) % MI_SEGMENT_SIZE, 0);
  CHECK(mi_is_in_chunk(mi_slot_start(ref)));
  CHECK_EQ(memory_gauges().committed - committed, MI_UNIT_SIZE);

  CHECK(mi_units_take(ref, mi_bits64(4, 8), &zero));
  CHECK(zero);
  CHECK_EQ(memory_gauges().committed - committed, 9 * (int64_t)MI_UNIT_SIZE);
  /* All or none: one unit of it is taken, so the others stay free. */
  CHECK(!mi_units_take(ref, mi_bits64(11, 8), &zero));
  CHECK(mi_units_take(ref, mi_bits64(12, 7), &zero));
  CHECK(zero);

  unit(ref, 5)[100] = 1;
  mi_units_release(ref, mi_bits64(4, 4), mi_bits64(8, 4));
  CHECK_EQ(memory_gauges().committed - committed, (1 + 4 + 7) * (int64_t)MI_UNIT_SIZE);
  CHECK(mi_units_take(ref, mi_bits64(8, 4), &zero));
  CHECK(zero);
  CHECK(mi_units_take(ref, mi_bits64(4, 4), &zero));
  CHECK(!zero);
  CHECK_EQ(unit(ref, 5)[100], 1);

  mi_units_release(ref, mi_bits64(4, 4), mi_bits64(8, 4) | mi_bits64(12, 7) | 1);
  mi_purge_all();
  CHECK_EQ(memory_gauges().committed, committed);
  CHECK(mi_units_take(ref, mi_bits64(4, 4), &zero));
  CHECK(zero);
  CHECK_EQ(unit(ref, 5)[100], 0);
  mi_units_release(ref, 0, mi_bits64(4, 4));
  mi_slot_release(ref);
}

/* A purge that only resets leaves what the system did not take: memory that is clean but not zero. */
static void reset_is_not_zero(void) {
  mi_slot_ref_t ref;
  bool zero;
  mi_option_set(mi_option_purge_decommits, 0);
  CHECK(mi_slot_take(NULL, &ref, 1, &zero));
  unit(ref, 0)[0] = 1;
  mi_units_release(ref, 1, 0);
  mi_purge_all();
  CHECK(mi_units_take(ref, 1, &zero));
  CHECK(!zero);
  mi_units_release(ref, 0, 1);
  mi_slot_release(ref);
  mi_option_set(mi_option_purge_decommits, 1);
}

/* A slot that cannot give the units asked for is passed over. */
static void other_slot(void) {
  mi_slot_ref_t first, second;
  bool zero;
  CHECK(mi_slot_take(NULL, &first, ~(uint64_t)0, &zero));
  mi_units_release(first, 0, ~(uint64_t)1); /* unit 0 is missing, as if it were being purged */
  mi_slot_release(first);
  CHECK(mi_slot_take(NULL, &second, 1, &zero));
  CHECK(second.chunk != first.chunk || second.index != first.index);
  mi_units_release(second, 0, 1);
  mi_slot_release(second);
  mi_units_release(first, 0, 1);
}

enum { THREADS = 3, STEPS = 20000 };
static mi_slot_ref_t contended;
/* Relaxed, so that it is the units' own order that ThreadSanitizer sees. */
static _Atomic(int) holders[MI_UNITS_PER_SEGMENT];

/* While one more thread purges: who has taken a unit is its only holder, and `zero` is true. */
static void* contend(void* arg) {
  random_t rng = {*(uint64_t*)arg};
  for (int i = 0; i < STEPS / TEST_SLOWNESS; i++) {
    unsigned first = (unsigned)random_below(&rng, 64);
    unsigned count = 1 + (unsigned)random_below(&rng, 64 - first < 6 ? 64 - first : 6);
    uint64_t mask = mi_bits64(first, count);
    bool zero;
    if (!mi_units_take(contended, mask, &zero)) continue;
    for (unsigned u = first; u < first + count; u++) {
      CHECK_EQ(atomic_fetch_add_explicit(&holders[u], 1, memory_order_relaxed), 0);
      uint64_t* word = (uint64_t*)unit(contended, u);
      if (zero) CHECK_EQ(*word, 0);
      *word = i + 1;
    }
    for (unsigned u = first; u < first + count; u++) {
      atomic_fetch_sub_explicit(&holders[u], 1, memory_order_relaxed);
    }
    mi_units_release(contended, mask, 0);
  }
  return NULL;
}

static _Atomic(bool) stop;
static void* purge(void* arg) {
  while (!atomic_load(&stop)) mi_purge_all();
  return arg;
}

static void contention(void) {
  pthread_t threads[THREADS + 1];
  uint64_t seeds[THREADS];
  bool zero;
  uint64_t seed = test_seed();
  CHECK(mi_slot_take(NULL, &contended, 1, &zero));
  mi_units_release(contended, 0, 1);
  CHECK_EQ(pthread_create(&threads[THREADS], NULL, purge, NULL), 0);
  for (int i = 0; i < THREADS; i++) {
    seeds[i] = seed + (uint64_t)i;
    CHECK_EQ(pthread_create(&threads[i], NULL, contend, &seeds[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  atomic_store(&stop, true);
  pthread_join(threads[THREADS], NULL);
  mi_slot_release(contended);
  mi_purge_all();
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
}

int main(void) {
  take_and_release();
  reset_is_not_zero();
  other_slot();
  contention();
  return 0;
}
