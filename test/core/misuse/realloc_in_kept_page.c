/* A page of one block is kept after its block was freed, but the block is none, though a smaller
   one would fit. */
#include "crime.h"

int main(void) {
  prepare();
  void* p = mi_malloc(64 << 10);
  mi_free(p);
  announce(p);
  CHECK(mi_realloc(p, 60 << 10) == NULL);
  return unharmed();
}
