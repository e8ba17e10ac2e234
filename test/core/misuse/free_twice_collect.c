/* A release build does not see it at once: the free list becomes a ring, which a collect finds. */
#include "crime.h"
#include "segment/segment.h"

int main(void) {
  void* keep[5];
  prepare();
  void* p = mi_malloc(40);
  for (int i = 0; i < 5; i++) {
    keep[i] = mi_malloc(40);
    pattern_fill(keep[i], 40, (uint64_t)i);
  }
  announce(mi_page_of(p)->start);
  mi_free(p);
  mi_free(p);
  void* q = mi_malloc(40);
  mi_collect(true);
  for (int i = 0; i < 5; i++) {
    CHECK(pattern_holds(keep[i], 40, (uint64_t)i));
    CHECK(keep[i] != q);
    mi_free(keep[i]);
  }
  mi_free(q);
  mi_collect(true);
  return unharmed();
}
