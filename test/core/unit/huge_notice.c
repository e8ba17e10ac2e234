/* A thread's huge blocks are freed by another one, while a third purges them: the owner finds each of them again. */
#include <pthread.h>

#include "check.h"
#include "heap/delayed.h"
#include "heap/thread.h"
#include "memory.h"
#include "os/rare.h"
#include "page/scavenge.h"

enum { PLACES = 8, SIZE = 3 << 20, BLOCKS = 400 / TEST_SLOWNESS };

static _Atomic(void*) places[PLACES];
static _Atomic(bool) over;

static void* free_all(void* arg) {
  while (!atomic_load(&over)) {
    for (int i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], NULL));
  }
  return arg;
}

static void* scavenge(void* arg) {
  while (!atomic_load(&over)) mi_scavenge_all();
  return arg;
}

int main(void) {
  pthread_t threads[2];
  mi_rare_set(mi_rare_race, 1);
  CHECK_EQ(pthread_create(&threads[0], NULL, free_all, NULL), 0);
  CHECK_EQ(pthread_create(&threads[1], NULL, scavenge, NULL), 0);
  for (int made = 0, i = 0; made < BLOCKS; i++) {
    _Atomic(void*)* place = &places[i % PLACES];
    if (atomic_load(place) == NULL) {
      mi_free(atomic_exchange(place, mi_malloc(SIZE)));
      made++;
    }
    mi_heap_delayed_free(mi_heap_get());
  }
  atomic_store(&over, true);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], NULL));
  mi_collect(true);
  CHECK_PTR(mi_heap_get()->pages[MI_QUEUE_OF_FULL].first, ==, NULL);
  memory_check();
  return 0;
}
