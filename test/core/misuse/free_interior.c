#include "crime.h"

int main(void) {
  prepare();
  uint8_t* p = mi_malloc(100);
  announce(p + 8);
  mi_free(p + 8);
  return unharmed();
}
