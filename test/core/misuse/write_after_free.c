/* A link of the free list is overwritten; hardened builds notice when they follow it. */
#include "crime.h"

int main(void) {
  prepare();
  void* blocks[4];
  for (int i = 0; i < 4; i++) blocks[i] = mi_malloc(128);
  for (int i = 0; i < 4; i++) mi_free(blocks[i]);
  mi_collect(false);
  announce(blocks[3]);
  *(uintptr_t*)blocks[3] = 0x4141414141414141;
  for (int i = 0; i < 200; i++) {
    void* p = mi_malloc(128);
    if (p == NULL) return 1;
  }
  return 0;
}
