/* Fills memory with blocks of one size, frees 90 % of them at random, and goes on with another
   size, several times. Memory into which only blocks of the old size fit is wasted. The result is
   the peak of resident memory. SIZE: KiB that are alive at most. */
#include "workload.h"

enum { PHASES = 8 };

int main(int argc, char** argv) {
  static const size_t sizes[PHASES] = {48, 320, 96, 1500, 24, 700, 200, 5000};
  arguments_t given = parse_arguments(argc, argv, 100 << 10, 1);
  size_t limit = given.size << 10, live = 0, kept = 0, room = limit / 24 + 1;
  void** blocks = must(malloc(room * sizeof(void*)));
  random_t random = {1};
  uint64_t checksum = 0;
  for (unsigned phase = 0; phase < PHASES; phase++) {
    while (live + sizes[phase] <= limit) {
      blocks[kept++] = stamp(malloc(sizes[phase]), sizes[phase], phase);
      live += sizes[phase];
    }
    size_t left = 0;
    for (size_t i = 0; i < kept; i++) {
      if (random_below(&random, 10) == 0) {
        blocks[left++] = blocks[i];
        continue;
      }
      live -= stamped_size(blocks[i]);
      free_stamped(blocks[i]);
    }
    kept = left;
    checksum = mix(checksum ^ live);
  }
  for (size_t i = 0; i < kept; i++) free_stamped(blocks[i]);
  free(blocks);
  return finish(checksum);
}
