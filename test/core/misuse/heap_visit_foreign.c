/* A heap of another thread, which goes on using it. */
#include <pthread.h>

#include "crime.h"

static bool
never(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  CHECK(false);
  return true;
}

static void* visit(void* heap) {
  mi_free(mi_malloc(1));
  CHECK(!mi_heap_visit_blocks(heap, true, never, NULL));
  return NULL;
}

int main(void) {
  prepare();
  announce(mi_heap_get_backing());
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, visit, mi_heap_get_backing()), 0);
  pthread_join(thread, NULL);
  return unharmed();
}
