/* False sharing. Each thread allocates a small block, writes to it many times, and frees it, again
   and again: slow if the allocator puts blocks of two threads on one cache line. MODE `scratch`:
   each thread first frees a block that the main thread made, next to the blocks of the other
   threads; an allocator may hand it out again to that thread. SIZE: blocks by each thread. */
#include "workload.h"

enum { BYTES = 8, WRITES = 2000 };

static size_t blocks;
static void* inherited[MOST_THREADS];

static uint64_t work(unsigned index) {
  uint64_t checksum = 0;
  free(inherited[index]);
  for (size_t i = 0; i < blocks; i++) {
    volatile unsigned char* block = must(malloc(BYTES));
    memset((void*)block, 0, BYTES);
    for (unsigned j = 0; j < WRITES; j++) block[j % BYTES]++;
    checksum += block[i % BYTES];
    free((void*)block);
  }
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 500000, 2);
  blocks = given.size;
  if (strcmp(given.mode, "scratch") == 0) {
    for (unsigned i = 0; i < given.threads; i++) inherited[i] = must(malloc(BYTES));
  }
  return finish(sum_threads(given.threads, work));
}
