/* A block is freed by its owner, and then by another thread, in place of its neighbour, which is alive. The page counts
   as empty, and ends when its owner collects. */
#include <pthread.h>

#include "crime.h"
#include "segment/segment.h"

enum { SIZE = 2000 };

static void* free_again(void* p) {
  mi_free(p);
  return NULL;
}

int main(void) {
  prepare();
  void* first = mi_malloc(SIZE);
  void* p = mi_malloc(SIZE);
  void* neighbour = mi_malloc(SIZE);
  CHECK_PTR(mi_page_of(neighbour), ==, mi_page_of(p));
  announce(mi_page_of(p)->start);
  mi_free(p);
  mi_free(first);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_again, p), 0);
  pthread_join(thread, NULL);
  mi_collect(true);
  return unharmed();
}
