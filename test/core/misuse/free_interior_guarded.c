/* A pointer into a guarded block is freed. */
#include "crime.h"

int main(void) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  mi_heap_guarded_set_sample_rate(heap, 1, 0);
  char* p = mi_heap_malloc(heap, 100);
  announce(p + 16);
  mi_free(p + 16);
  CHECK_EQ(mi_usable_size(p), 100);
  memset(p, 1, 100);
  mi_free(p);
  mi_heap_destroy(heap);
  return unharmed();
}
