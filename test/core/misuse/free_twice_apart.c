/* By its owner, and then by another thread: the block is on two lists, and comes to a malloc that may fill it. */
#include <pthread.h>

#include "crime.h"

enum { SIZE = 1000, COUNT = 400 };

static void* free_again(void* p) {
  mi_free(p);
  return NULL;
}

int main(void) {
  static void* blocks[COUNT];
  prepare();
  void* p = mi_malloc(SIZE);
  void* keep = mi_malloc(SIZE);
  announce(p);
  mi_free(p);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_again, p), 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
  mi_free(keep);
  return unharmed();
}
