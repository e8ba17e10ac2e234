/* A thread that replaces the blocks of one that has ended: it was not told of frees by others, since there
   are none, so its heap does not come to share pages. */
#include <pthread.h>

#include "check.h"
#include "random.h"
#include "types.h"

enum { BLOCKS = 4000, REPLACED = 20000, LEAST = 1024, MOST = 32 << 10 };

static void* blocks[BLOCKS];
static random_t numbers = {1};

static void* new_block(void) { return mi_malloc(LEAST + random_below(&numbers, MOST - LEAST)); }

static void* fill(void* arg) {
  (void)arg;
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = new_block();
  return NULL;
}

int main(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fill, NULL), 0);
  pthread_join(thread, NULL);
  for (size_t i = 0; i < REPLACED; i++) {
    void** slot = &blocks[random_below(&numbers, BLOCKS)];
    mi_free(*slot);
    *slot = new_block();
  }
  CHECK(!mi_heap_get_backing()->others_free);
  for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  return 0;
}
