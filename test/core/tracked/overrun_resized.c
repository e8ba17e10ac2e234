/* A block shrinks, in place or not; what lay behind it is no longer the caller's. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE_ZERO(1, size + 10));
  p = hide(RESIZE(p, size + 7));
  write_at(p, size + 7);
  RELEASE(p);
}
