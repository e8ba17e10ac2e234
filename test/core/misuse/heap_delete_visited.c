/* A visitor that ends the heap which is being visited. */
#include "crime.h"

static int calls;

static bool
end(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)area, (void)block, (void)size, (void)arg;
  if (++calls == 1) mi_heap_delete((mi_heap_t*)heap);
  return true;
}

int main(void) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  announce(heap);
  void* p = mi_heap_malloc(heap, 100);
  CHECK(mi_heap_visit_blocks(heap, true, end, NULL));
  CHECK_EQ(calls, 2);
  mi_free(p);
  mi_heap_delete(heap);
  return unharmed();
}
