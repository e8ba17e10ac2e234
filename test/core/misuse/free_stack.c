#include "crime.h"

int main(void) {
  char foreign[64];
  prepare();
  announce(foreign + 16);
  mi_free(foreign + 16);
  return unharmed();
}
