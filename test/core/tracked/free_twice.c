/* Frees a block twice. */
#include "crime.h"

static void commit(size_t size) {
  void* p = hide(ALLOCATE(size));
  void* q = hide(ALLOCATE(size)); /* keeps the page */
  void* again = hide(p);
  RELEASE(p);
  RELEASE(again);
  RELEASE(q);
}
