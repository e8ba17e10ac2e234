/* Each thread replaces random blocks, of twenty, by blocks of 64 KiB to 32 MiB, and writes to a few
   pages of the new block. MODE `written`: blocks of 5 to 25 MiB, all of which is written. SIZE:
   replacements by each thread. */
#include "workload.h"

enum { SLOTS = 20, LEAST = 64 << 10, MOST = 32 << 20, TOUCHED = 32, PAGE = 4096 };

static size_t replacements;
static int written;

static uint64_t work(unsigned index) {
  random_t random = {index};
  uint64_t checksum = 0;
  void* slots[SLOTS] = {NULL};
  for (size_t i = 0; i < replacements; i++) {
    void** slot = &slots[random_below(&random, SLOTS)];
    size_t size =
        written ? random_between(&random, 5 << 20, 25 << 20) : random_size(&random, LEAST, MOST);
    free_stamped(*slot);
    *slot = must(malloc(size));
    if (written) memset(*slot, 1, size);
    stamp(*slot, size, index);
    size_t stride = size / TOUCHED < PAGE ? PAGE : size / TOUCHED;
    for (size_t at = PAGE; at + 1 < size; at += stride) ((volatile char*)*slot)[at] = 1;
    checksum = mix(checksum ^ size);
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 500000, 1);
  replacements = given.size;
  written = strcmp(given.mode, "written") == 0;
  return finish(sum_threads(given.threads, work));
}
