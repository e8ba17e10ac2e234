/* An address that no process can have. */
#include "crime.h"

int main(void) {
  static volatile uintptr_t beyond = (uintptr_t)0x7FFF << 48;
  prepare();
  announce((void*)beyond);
  mi_free((void*)beyond);
  return unharmed();
}
