/* Half of the threads only allocate, and hand their blocks over in batches to the other half, which
   only free: all frees are by another thread. SIZE: batches by each producer. */
#include <sched.h>
#include <stdatomic.h>

#include "workload.h"

enum { BATCH = 100, RING = 64, LEAST = 16, MOST = 256 };

/* Batches on their way from one producer to one consumer. */
typedef struct {
  _Alignas(128) void** _Atomic slots[RING];
  uint64_t checksum;
} ring_t;

static size_t batches;
static ring_t rings[MOST_THREADS / 2];

static void produce(ring_t* ring, random_t random) {
  for (size_t i = 0; i < batches; i++) {
    void** batch = must(malloc(BATCH * sizeof(void*)));
    for (unsigned j = 0; j < BATCH; j++) {
      size_t size = random_between(&random, LEAST, MOST);
      batch[j] = stamp(malloc(size), size, j);
    }
    while (atomic_load_explicit(&ring->slots[i % RING], memory_order_relaxed) != NULL) {
      sched_yield();
    }
    atomic_store_explicit(&ring->slots[i % RING], batch, memory_order_release);
  }
}

static void consume(ring_t* ring) {
  for (size_t i = 0; i < batches; i++) {
    void** batch;
    while ((batch = atomic_load_explicit(&ring->slots[i % RING], memory_order_acquire)) == NULL) {
      sched_yield();
    }
    atomic_store_explicit(&ring->slots[i % RING], NULL, memory_order_relaxed);
    for (unsigned j = 0; j < BATCH; j++) {
      ring->checksum += mix(stamped_size(batch[j]) + i);
      free_stamped(batch[j]);
    }
    free(batch);
  }
}

static void work(unsigned index) {
  if (index % 2 == 0) {
    produce(&rings[index / 2], (random_t){index});
  } else {
    consume(&rings[index / 2]);
  }
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 25000, 2);
  unsigned pairs = (given.threads + 1) / 2;
  uint64_t checksum = 0;
  batches = given.size;
  run_threads(pairs * 2, work);
  for (unsigned i = 0; i < pairs; i++) checksum = mix(checksum ^ rings[i].checksum);
  return finish(checksum);
}
