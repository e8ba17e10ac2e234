#include "crime.h"

int main(void) {
  char foreign[64] = {0};
  prepare();
  announce(foreign + 16);
  errno = 0;
  CHECK_PTR(mi_realloc(foreign + 16, 100), ==, NULL);
  CHECK_EQ(errno, EINVAL);
  return unharmed();
}
