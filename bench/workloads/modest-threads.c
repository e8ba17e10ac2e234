/* Threads that are all alive at once hold a few small blocks each. The result is the peak of
   resident memory. SIZE: blocks of each thread. */
#include "workload.h"

enum { MOST_BLOCKS = 1000, LEAST = 16, MOST = 500 };

static size_t blocks;
static pthread_barrier_t together;

static void work(unsigned index) {
  random_t random = {index};
  void* held[MOST_BLOCKS];
  for (size_t i = 0; i < blocks; i++) {
    size_t size = random_size(&random, LEAST, MOST);
    held[i] = stamp(malloc(size), size, index);
  }
  pthread_barrier_wait(&together);
  for (size_t i = 0; i < blocks; i++) free_stamped(held[i]);
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 40, 100);
  if (given.size > MOST_BLOCKS) fail("SIZE is at most 1000");
  blocks = given.size;
  pthread_barrier_init(&together, NULL, given.threads);
  run_threads(given.threads, work);
  return finish(mix(blocks));
}
