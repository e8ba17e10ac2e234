#include "crime.h"

enum { COUNT = 3000 };

int main(void) {
  static void* blocks[COUNT];
  prepare();
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(4000);
  void* p = blocks[COUNT / 2];
  mi_free(p);
  announce(p);
  memset(p, 0x41, 8);
  mi_collect(true);
  return unharmed();
}
