/* Two threads free the same block of a third one, which finds out when it collects. */
#include <pthread.h>

#include "crime.h"
#include "segment/segment.h"

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

int main(void) {
  prepare();
  void* keep = mi_malloc(100);
  void* p = mi_malloc(100);
  announce(mi_page_of(p)->start);
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_it, p), 0);
    pthread_join(thread, NULL);
  }
  mi_collect(true);
  mi_free(keep);
  return unharmed();
}
