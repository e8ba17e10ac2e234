#include "crime.h"

int main(void) {
  char foreign[64] = {0};
  prepare();
  announce(foreign + 16);
  CHECK_PTR(mi_expand(foreign + 16, 0), ==, NULL);
  return unharmed();
}
