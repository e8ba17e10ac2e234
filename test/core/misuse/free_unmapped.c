#include "crime.h"

int main(void) {
  static volatile uintptr_t nowhere = 0x12345678000;
  prepare();
  announce((void*)nowhere);
  mi_free((void*)nowhere);
  return unharmed();
}
