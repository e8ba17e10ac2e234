#include "crime.h"

int main(void) {
  prepare();
  void* keep = mi_malloc(100);
  void* p = mi_malloc(100);
  mi_free(p);
  announce(p);
  p = mi_realloc(p, 10000);
  mi_free(keep);
  return unharmed();
}
