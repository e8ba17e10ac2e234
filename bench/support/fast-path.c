/* fast-path SIZE COUNT PATTERN

   Nothing but mallocs and frees of SIZE bytes, COUNT of each, for callgrind to count. PATTERN
   `pair` has one block at a time; `batch` has a hundred, and frees the newest first. The calls are
   made from `allocate` and `release`, which the runner looks for. They are bound at start (-z now),
   so that no count includes the loader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 100 };

__attribute__((noinline, noclone)) static void allocate(void** block, size_t size) {
  *block = malloc(size);
}

__attribute__((noinline, noclone)) static void release(void** block) { free(*block); }

int main(int argc, char** argv) {
  if (argc != 4) {
    fputs("usage: fast-path SIZE COUNT pair|batch\n", stderr);
    return 2;
  }
  size_t size = strtoul(argv[1], NULL, 10), count = strtoul(argv[2], NULL, 10);
  size_t together = strcmp(argv[3], "batch") == 0 ? BATCH : 1;
  void* blocks[BATCH];
  for (size_t done = 0; done < count; done += together) {
    for (size_t i = 0; i < together; i++) allocate(&blocks[i], size);
    for (size_t i = together; i-- > 0;) release(&blocks[i]);
  }
  return 0;
}
