/* Threads live for a hundred allocations each, a few threads at a time. Every thread leaves some
   blocks behind, which a later thread frees. SIZE: threads in all. */
#include <stdatomic.h>

#include "workload.h"

enum { BLOCKS = 100, LEFT = 1000, LEAST = 8, MOST = 4096 };

static size_t started;
static uint64_t checksums[MOST_THREADS];
static void* _Atomic left[LEFT];

static void work(unsigned index) {
  random_t random = {(uint64_t)started << 16 | index};
  void* blocks[BLOCKS];
  for (unsigned i = 0; i < BLOCKS; i++) {
    size_t size = random_size(&random, LEAST, MOST);
    blocks[i] = stamp(malloc(size), size, index);
    checksums[index] = mix(checksums[index] ^ size);
  }
  for (unsigned i = 0; i < BLOCKS; i++) {
    if (i % 10 == 0) {
      blocks[i] = atomic_exchange(&left[random_below(&random, LEFT)], blocks[i]);
    }
    free_stamped(blocks[i]);
  }
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 20000, 4);
  uint64_t checksum = 0;
  for (started = 0; started < given.size; started += given.threads) {
    run_threads(given.threads, work);
  }
  for (unsigned i = 0; i < LEFT; i++) free_stamped(atomic_load(&left[i]));
  for (unsigned i = 0; i < given.threads; i++) checksum = mix(checksum ^ checksums[i]);
  return finish(checksum);
}
