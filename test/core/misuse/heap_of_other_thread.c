#include <pthread.h>

#include "crime.h"

static void* destroy(void* heap) {
  mi_free(mi_malloc(1));
  mi_heap_destroy(heap);
  return NULL;
}

int main(void) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  void* p = mi_heap_malloc(heap, 100);
  pattern_fill(p, 100, 5);
  announce(heap);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, destroy, heap), 0);
  pthread_join(thread, NULL);
  CHECK(pattern_holds(p, 100, 5));
  mi_heap_destroy(heap);
  return unharmed();
}
