/* Reads the byte before a block. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE(size));
  (void)read_at(p - 1, 0);
  RELEASE(p);
}
