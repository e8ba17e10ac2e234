/* A block whose whole segment was given back. */
#include "crime.h"

int main(void) {
  prepare();
  void* p = mi_malloc(1500000);
  mi_free(p);
  mi_collect(true);
  announce(p);
  mi_free(p);
  return unharmed();
}
