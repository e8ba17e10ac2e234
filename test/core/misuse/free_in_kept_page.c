/* A page of one block is kept after its block was freed, but the block is none. */
#include "crime.h"

int main(void) {
  prepare();
  void* p = mi_malloc(64 << 10);
  mi_free(p);
  announce(p);
  mi_free(p);
  return unharmed();
}
