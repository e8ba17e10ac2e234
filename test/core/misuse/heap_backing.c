/* The backing heap may not be deleted. */
#include "crime.h"

int main(void) {
  prepare();
  announce(mi_heap_get_backing());
  mi_heap_delete(mi_heap_get_backing());
  return unharmed();
}
