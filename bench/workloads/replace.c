/* Each thread frees random blocks of an array, and fills random empty slots with blocks of random
   sizes, as long-running programs do once they are warm. SIZE: mallocs and frees by each thread. */
#include "workload.h"

enum { SLOTS = 1 << 16, LEAST = 8, MOST = 8 << 10 };

static size_t replacements;

static uint64_t work(unsigned index) {
  random_t random = {index};
  uint64_t checksum = 0;
  void** slots = must(calloc(SLOTS, sizeof(void*)));
  for (size_t i = 0; i < replacements; i++) {
    void** slot = &slots[random_below(&random, SLOTS)];
    if (*slot != NULL) {
      checksum = mix(checksum ^ stamped_size(*slot));
      free_stamped(*slot);
      *slot = NULL;
    } else {
      size_t size = random_size(&random, LEAST, MOST);
      *slot = stamp(malloc(size), size, index);
    }
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  free(slots);
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 20000000, 1);
  replacements = given.size;
  return finish(sum_threads(given.threads, work));
}
