/* Writes one byte beyond what was asked for. */
#include "crime.h"

static void commit(size_t size) {
  unsigned char* p = hide(ALLOCATE(size));
  write_at(p, size);
  RELEASE(p);
}
