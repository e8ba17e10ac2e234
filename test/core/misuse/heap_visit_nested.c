/* A visitor that visits the same heap. */
#include "crime.h"

static int calls;

static bool
again(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)area, (void)block, (void)size, (void)arg;
  if (++calls == 3) CHECK(!mi_heap_visit_blocks(heap, true, again, NULL));
  return true;
}

int main(void) {
  prepare();
  announce(mi_heap_get_backing());
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, again, NULL));
  CHECK_CMP(calls, >=, 2 * WITNESSES);
  return unharmed();
}
