#include "crime.h"

int main(void) {
  prepare();
  void* keep = mi_malloc(100);
  void* p = mi_malloc(100);
  mi_free(p);
  announce(p);
  mi_free(p);
  mi_free(keep);
  return unharmed();
}
