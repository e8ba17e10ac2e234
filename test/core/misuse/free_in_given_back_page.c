/* A block whose page was given back long ago. */
#include "crime.h"

int main(void) {
  prepare();
  void* p = mi_malloc(700);
  mi_free(p);
  mi_collect(true);
  announce(p);
  mi_free(p);
  return unharmed();
}
