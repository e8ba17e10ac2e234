#include "crime.h"

int main(void) {
  char foreign[64] = {0};
  prepare();
  announce(foreign + 16);
  CHECK_EQ(mi_usable_size(foreign + 16), 0);
  return unharmed();
}
