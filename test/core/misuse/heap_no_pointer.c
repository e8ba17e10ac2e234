/* What cannot even be read. */
#include "crime.h"

int main(void) {
  prepare();
  mi_heap_t* heap = (mi_heap_t*)(uintptr_t)0x123456789;
  announce(heap);
  CHECK_PTR(mi_heap_set_default(heap), ==, mi_heap_get_backing());
  CHECK_PTR(mi_heap_get_default(), ==, mi_heap_get_backing());
  return unharmed();
}
