/* A heap that has ended. */
#include "crime.h"

int main(void) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  announce(heap);
  mi_heap_destroy(heap);
  mi_heap_collect(heap, true);
  return unharmed();
}
