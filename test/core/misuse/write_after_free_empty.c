/* A block is written to after it was freed, and then all others of its page are freed: nobody follows its link any more,
   but the page ends. */
#include "crime.h"
#include "segment/segment.h"

enum { SIZE = 1000, COUNT = 64 };

int main(void) {
  static void* blocks[COUNT];
  prepare();
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  announce(mi_page_of(blocks[COUNT - 1])->start);
  mi_free(blocks[COUNT - 1]);
  memset(blocks[COUNT - 1], 'x', SIZE);
  mi_collect(true);
  for (int i = 0; i < COUNT - 1; i++) mi_free(blocks[i]);
  mi_collect(true);
  return unharmed();
}
