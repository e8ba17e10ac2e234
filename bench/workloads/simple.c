/* Each thread allocates 25 to 1600 blocks of one size and frees them in the order of allocation,
   for sizes of 16 bytes to 4 KiB: the cost of malloc when nothing else happens. SIZE: blocks of
   each size and number by each thread. */
#include "workload.h"

static size_t blocks;

static void work(unsigned index) {
  static const unsigned numbers[] = {25, 100, 400, 1600};
  static const size_t sizes[] = {16, 64, 256, 1024, 4096};
  void* held[1600];
  for (unsigned n = 0; n < sizeof(numbers) / sizeof(*numbers); n++) {
    for (unsigned s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
      for (size_t done = 0; done < blocks; done += numbers[n]) {
        for (unsigned i = 0; i < numbers[n]; i++) {
          held[i] = stamp(malloc(sizes[s]), sizes[s], index);
        }
        for (unsigned i = 0; i < numbers[n]; i++) free_stamped(held[i]);
      }
    }
  }
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 120000, 1);
  blocks = given.size;
  run_threads(given.threads, work);
  return finish(mix(given.size));
}
