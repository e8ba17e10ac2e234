#include <miheap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of both families, so that the program needs the API and the replaced malloc. */
int main(void) {
  char* ours = mi_malloc(100);
  char* replaced = malloc(100);
  if (ours == NULL || replaced == NULL) return 1;
  strcpy(ours, "consumer");
  strcpy(replaced, ours);
  if (mi_usable_size(ours) < 100) return 2;
  mi_heap_t* heap = mi_heap_new();
  void* block = mi_heap_malloc(heap, 5000);
  if (block == NULL) return 3;
  mi_heap_destroy(heap);
  puts(replaced);
  mi_free(ours);
  free(replaced);
  return 0;
}
