/* Reads a block after it was freed. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE(size));
  memset(p, 1, size);
  unsigned char* freed = hide(p);
  RELEASE(p);
  (void)read_at(freed, size / 2);
}
