/* Writes to a block after it was freed and others were allocated and freed. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE(size));
  void* q = hide(ALLOCATE(size)); /* keeps the page */
  unsigned char* freed = hide(p);
  RELEASE(p);
  write_at(freed, size - 1);
  RELEASE(q);
}
