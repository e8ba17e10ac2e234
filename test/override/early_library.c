/* Loaded before miheap and independent of it, so that its constructor runs before miheap's,
   and its destructor after. */
#include <stdlib.h>
#include <unistd.h>

#include "ours.h"

void* early_library_blocks[4];

__attribute__((constructor)) static void allocate(void) {
  early_library_blocks[0] = malloc(40);
  early_library_blocks[1] = calloc(1000, 70);
  early_library_blocks[2] = malloc(5000000);
  early_library_blocks[3] = realloc(malloc(100), 9000);
}

__attribute__((destructor)) static void release(void) {
  void* p = opaque(malloc(3000000));
  if (!is_ours(p)) _exit(3);
  free(p);
  for (int i = 0; i < 4; i++) {
    if (!is_ours(early_library_blocks[i])) _exit(4);
    free(early_library_blocks[i]);
  }
}
