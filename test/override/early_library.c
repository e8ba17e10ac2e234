/* Loaded before miheap and independent of it, so that its constructor runs before miheap's. */
#include <stdlib.h>

void* early_library_blocks[4];

__attribute__((constructor)) static void allocate(void) {
  early_library_blocks[0] = malloc(40);
  early_library_blocks[1] = calloc(1000, 70);
  early_library_blocks[2] = malloc(5000000);
  early_library_blocks[3] = realloc(malloc(100), 9000);
}
