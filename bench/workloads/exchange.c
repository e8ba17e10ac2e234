/* Threads of several generations allocate blocks of 8 bytes to 64 KiB, most of them small. They
   keep some, and swap some for blocks that other threads left in a shared array. So many blocks are
   freed by another thread, some after the thread that allocated them has ended. SIZE: steps of each
   thread of a generation, nine in ten of which allocate. */
#include <stdatomic.h>

#include "workload.h"

enum { SHARED = 1000, GENERATIONS = 10, LEAST = 8, MOST = 64 << 10 };

static size_t allocations;
static unsigned generation;
static void* _Atomic shared[SHARED];

static void* new_block(random_t* random) {
  size_t size = random_size(random, LEAST, MOST);
  return stamp(malloc(size), size, generation);
}

static void swap_shared(random_t* random, void** block) {
  *block = atomic_exchange(&shared[random_below(random, SHARED)], *block);
}

static void work(unsigned index) {
  random_t random = {(uint64_t)generation << 32 | index};
  size_t held = allocations / 100 + 1, kept = 0;
  void** blocks = must(calloc(held, sizeof(void*)));
  for (size_t i = 0; i < allocations; i++) {
    size_t choice = random_below(&random, 100);
    if (choice < 50) { /* a block that hardly lives */
      free_stamped(new_block(&random));
      continue;
    }
    void** slot = &blocks[random_below(&random, held)];
    if (choice < 75 && kept < held) slot = &blocks[kept++];
    if (choice < 90) {
      free_stamped(*slot);
      *slot = new_block(&random);
    } else {
      swap_shared(&random, slot);
    }
  }
  for (size_t i = 0; i < held; i++) free_stamped(blocks[i]);
  free(blocks);
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 500000, 4);
  allocations = given.size;
  for (generation = 0; generation < GENERATIONS; generation++) {
    run_threads(given.threads, work);
    for (unsigned i = 0; i < SHARED; i += 2) free_stamped(atomic_exchange(&shared[i], NULL));
  }
  for (unsigned i = 0; i < SHARED; i++) free_stamped(atomic_load(&shared[i]));
  return finish(mix(allocations));
}
