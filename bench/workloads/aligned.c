/* Each thread replaces random blocks, of 2000, by blocks aligned to 16 bytes up to 4 KiB, from
   posix_memalign and aligned_alloc in turn. SIZE: replacements by each thread. */
#include "workload.h"

enum { SLOTS = 2000, MOST_ALIGNED = 4096 };

static size_t replacements;

static void* aligned(size_t alignment, size_t* size, unsigned choice) {
  void* block = NULL;
  if (choice == 0) {
    if (posix_memalign(&block, alignment, *size) != 0) fail("out of memory");
  } else {
    *size = (*size + alignment - 1) / alignment * alignment;
    block = must(aligned_alloc(alignment, *size));
  }
  if ((uintptr_t)block % alignment != 0) fail("not aligned");
  return block;
}

static uint64_t work(unsigned index) {
  random_t random = {index};
  uint64_t checksum = 0;
  void** slots = must(calloc(SLOTS, sizeof(void*)));
  for (size_t i = 0; i < replacements; i++) {
    void** slot = &slots[random_below(&random, SLOTS)];
    size_t alignment = 16, size = random_size(&random, 8, 4096);
    while (alignment < MOST_ALIGNED && random_below(&random, 2) == 0) alignment *= 2;
    free_stamped(*slot);
    *slot = aligned(alignment, &size, (unsigned)i & 1);
    stamp(*slot, size, index);
    checksum = mix(checksum ^ size);
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  free(slots);
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 8000000, 1);
  replacements = given.size;
  return finish(sum_threads(given.threads, work));
}
