/* Each thread allocates batches of small blocks, each batch of one size, and frees a batch newest
   first, oldest first or interleaved. Every fourth batch stays alive for a while. SIZE: batches by
   each thread. MODE `handed`: a batch that stayed alive is freed by another thread. */
#include <stdatomic.h>

#include "workload.h"

enum { BATCH = 1000, OLD = 16 };

static size_t batches;
static int handed;
static void** _Atomic shelf[OLD];

static void free_batch(void** batch, unsigned order) {
  for (unsigned i = 0; i < BATCH; i++) {
    unsigned at = order == 0 ? BATCH - 1 - i : order == 1 ? i : i * 7 % BATCH;
    free_stamped(batch[at]);
  }
  free(batch);
}

static uint64_t work(unsigned index) {
  random_t random = {index};
  void** old[OLD] = {NULL};
  uint64_t checksum = 0;
  for (size_t i = 0; i < batches; i++) {
    size_t size = random_size(&random, 8, 512);
    unsigned order = (unsigned)random_below(&random, 3);
    void** batch = must(malloc(BATCH * sizeof(void*)));
    for (unsigned j = 0; j < BATCH; j++) batch[j] = stamp(malloc(size), size, j);
    checksum = mix(checksum ^ size);
    if (i % 4 == 0) {
      void*** slot = &old[random_below(&random, OLD)];
      void** aged = *slot;
      *slot = batch;
      batch = handed ? atomic_exchange(&shelf[random_below(&random, OLD)], aged) : aged;
    }
    if (batch != NULL) free_batch(batch, order);
  }
  for (unsigned i = 0; i < OLD; i++) {
    if (old[i] != NULL) free_batch(old[i], 0);
  }
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 12000, 2);
  batches = given.size;
  handed = strcmp(given.mode, "handed") == 0;
  uint64_t checksum = sum_threads(given.threads, work);
  for (unsigned i = 0; i < OLD; i++) {
    void** left = atomic_load(&shelf[i]);
    if (left != NULL) free_batch(left, 0);
  }
  return finish(checksum);
}
