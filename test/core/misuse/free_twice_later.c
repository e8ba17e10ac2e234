/* With other frees in between, so that the block is not at the front of a list. */
#include "crime.h"

int main(void) {
  void* blocks[20];
  prepare();
  for (int i = 0; i < 20; i++) blocks[i] = mi_malloc(100);
  for (int i = 0; i < 20; i += 2) mi_free(blocks[i]);
  announce(blocks[4]);
  mi_free(blocks[4]);
  return unharmed();
}
