/* Loses a block. */
#include "crime.h"

static void lose(size_t size) {
  void* p = hide(ALLOCATE(size));
  memset(p, 1, size);
}

static void commit(size_t size) {
  lose(size);
  void* p = hide(ALLOCATE(size)); /* nor is there a stale copy of the pointer */
  RELEASE(p);
}
