/* In a program without C++ there is nothing to throw. */
#include "crime.h"

int main(void) {
  volatile size_t most = PTRDIFF_MAX;
  prepare();
  CHECK_PTR(mi_new_nothrow(most), ==, NULL);
  mi_free(mi_new(most));
  return 0;
}
