/* Blocks of a thread that has ended. One is freed twice in a row, so that as many frees come as blocks were alive: the
   page is to end, though a block in it is alive. */
#include <pthread.h>

#include "crime.h"
#include "segment/segment.h"

enum { SIZE = 2000, COUNT = 3 };
static void* blocks[COUNT];

static void* alloc(void* arg) {
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  return arg;
}

int main(void) {
  prepare();
  mi_option_set(mi_option_abandoned_reclaim_on_free, 0);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, alloc, NULL), 0);
  pthread_join(thread, NULL);
  announce(mi_page_of(blocks[0])->start);
  mi_free(blocks[0]);
  mi_free(blocks[1]);
  mi_free(blocks[1]);
  return unharmed();
}
