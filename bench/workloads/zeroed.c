/* Each thread replaces random blocks by blocks from calloc, of 16 bytes to 1 MiB, most of them
   small. It writes to each block before it frees it, so that memory that is used again must be
   cleared. SIZE: replacements by each thread. */
#include "workload.h"

enum { SLOTS = 1000, LEAST = 16, MOST = 1 << 20 };

static size_t replacements;

static uint64_t work(unsigned index) {
  random_t random = {index};
  uint64_t checksum = 0;
  void** slots = must(calloc(SLOTS, sizeof(void*)));
  for (size_t i = 0; i < replacements; i++) {
    void** slot = &slots[random_below(&random, SLOTS)];
    size_t size = random_size(&random, LEAST, MOST);
    free_stamped(*slot);
    unsigned char* block = must(calloc(1, size));
    if (block[size - 1] != 0) fail("calloc: not zero at the end");
    for (size_t at = 0; at < size; at += size / 8 + 1) {
      if (block[at] != 0) fail("calloc: not zero");
      block[at] = 1;
    }
    *slot = stamp(block, size, index);
    checksum = mix(checksum ^ size);
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  free(slots);
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 3000000, 1);
  replacements = given.size;
  return finish(sum_threads(given.threads, work));
}
