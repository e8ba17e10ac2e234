/* A block that waits in the thread's magazine, of which only heaps of some size have one. */
#include "crime.h"

enum { COUNT = 3000 };

int main(void) {
  static void* blocks[COUNT];
  prepare();
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(4000);
  mi_free(blocks[COUNT / 2]);
  mi_free(blocks[COUNT / 3]);
  announce(blocks[COUNT / 2]);
  mi_free(blocks[COUNT / 2]);
  return unharmed();
}
