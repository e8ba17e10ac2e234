#include "crime.h"

int main(void) {
  prepare();
  uint8_t* p = witnesses[5];
  announce(p + 4096);
  mi_free(p + 4096);
  return unharmed();
}
