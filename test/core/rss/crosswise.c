/* Threads that all replace blocks of a common table, and so free each other's and their own, empty it together and fall
   asleep. The memory comes back, by the hand of a thread that calls the allocator now and then. */
#include "rss.h"

enum { THREADS = 4, MOST_SLOTS = 1 << 16, MOST_LEFT = 48 };

static void* _Atomic slots[MOST_SLOTS];
static size_t used_slots;
static size_t least, most;
static uint64_t seed;
static pthread_barrier_t step;

static void* work(void* arg) {
  size_t me = (size_t)(uintptr_t)arg;
  random_t r = {seed + me};
  for (int i = 0; i < (int)used_slots * 4; i++) {
    size_t size = least + random_below(&r, most - least);
    char* p = mi_malloc(size);
    for (size_t k = 0; k < size; k += 4096) p[k] = 1;
    mi_free(atomic_exchange(&slots[random_below(&r, used_slots)], p));
  }
  pthread_barrier_wait(&step);
  for (size_t i = me; i < used_slots; i += THREADS) mi_free(atomic_exchange(&slots[i], NULL));
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return NULL;
}

/* Returns what is left of it. */
static size_t run(size_t count, size_t smallest, size_t largest) {
  used_slots = count;
  least = smallest;
  most = largest;
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, work, (void*)(uintptr_t)i), 0);
  }
  pthread_barrier_wait(&step);
  CHECK_CMP(memory_resident(), >=, used_slots * (least + most) / 4);
  CHECK_CMP(memory_resident(), >, MOST_LEFT * MIB); /* or nothing would be tested below */
  pthread_barrier_wait(&step);
  for (int ms = 0; ms < 1000; ms += 10) {
    mi_free(mi_malloc(3 * MIB)); /* not on a fast path */
    sleep_ms(10);
  }
  size_t left = memory_resident();
  pthread_barrier_wait(&step);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  mi_collect(true);
  return left;
}

/* For each thread and class: a page that it was just taking blocks from, and one that came back to it before it
   knew that others free there. Of these there are more where the system let a thread do its part before all others. */
static void require(size_t count, size_t smallest, size_t largest) {
  enum { TRIES = 3 };
  size_t left = SIZE_MAX;
  for (int i = 0; i < TRIES && left > MOST_LEFT * MIB; i++) {
    left = run(count, smallest, largest);
    printf("%zu to %zu bytes: %zu MiB left, at most %d allowed\n", least, most, left / MIB,
           MOST_LEFT);
    fflush(stdout);
  }
  CHECK_CMP(left, <=, MOST_LEFT * MIB);
}

int main(void) {
  seed = test_seed();
  pthread_barrier_init(&step, NULL, THREADS + 1);
  require(MOST_SLOTS, 16, 1024);
  require(MOST_SLOTS / 2, 16, 8192);
  require(MOST_SLOTS / 2, 1024, 8192);
  require(MOST_SLOTS / 4, 4096, 32768);
  return 0;
}
