/* Each thread replaces random blocks, of 4096. Sizes follow a power law up to 32 KiB, so that most
   are tiny, as in the traces of many programs. SIZE: replacements by each thread. */
#include <math.h>

#include "workload.h"

enum { SLOTS = 4096, LEAST = 8, MOST = 32 << 10, DRAWN = 8192 };

static size_t replacements;
static size_t sizes[DRAWN];

/* Draws the sizes in advance, so that pow() is not measured. */
static void draw_sizes(void) {
  random_t random = {1};
  for (unsigned i = 0; i < DRAWN; i++) {
    double uniform = (double)(random_below(&random, 1u << 30) + 1) / (1u << 30);
    double size = LEAST * pow(uniform, -1 / 0.9);
    sizes[i] = size < MOST ? (size_t)size : MOST;
  }
}

static uint64_t work(unsigned index) {
  random_t random = {index};
  uint64_t checksum = 0;
  void** slots = must(calloc(SLOTS, sizeof(void*)));
  for (size_t i = 0; i < replacements; i++) {
    uint64_t drawn = random_next(&random);
    void** slot = &slots[drawn % SLOTS];
    size_t size = sizes[(drawn >> 32) % DRAWN];
    free_stamped(*slot);
    *slot = stamp(malloc(size), size, index);
    checksum = mix(checksum ^ size);
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  free(slots);
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 30000000, 1);
  replacements = given.size;
  draw_sizes();
  return finish(sum_threads(given.threads, work));
}
