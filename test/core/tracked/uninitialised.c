/* Decides by what was never written. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE(size));
  memset(p, 1, size - 1);
  if (read_at(p, size - 1) == 77) puts("77");
  RELEASE(p);
}
