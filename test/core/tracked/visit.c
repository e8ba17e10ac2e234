/* No crime: a thread visits blocks of its own heap, and abandoned ones, while others free them. */
#include <pthread.h>

#include "calls.h"
#include "check.h"

enum { ROUNDS = 40, BLOCKS = 1000, THREADS = 2 };

static void* places[BLOCKS];
static pthread_barrier_t filled;

static size_t size_of(size_t i) { return 24 + i % 5 * 500; }

static void fill(void) {
  for (size_t i = 0; i < BLOCKS; i++) places[i] = ALLOCATE(size_of(i));
}

static void* leave(void* arg) {
  fill();
  return arg;
}

static void* free_some(void* first) {
  pthread_barrier_wait(&filled);
  for (size_t i = (size_t)first; i < BLOCKS; i += THREADS) RELEASE(places[i]);
  return NULL;
}

/* Whatever is shown was alive when the visit began. */
static bool
show(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap;
  (void)area;
  if (block == NULL) return true;
  for (size_t i = 0; i < BLOCKS; i++) {
    if (places[i] != block) continue;
    CHECK_EQ(size, size_of(i));
    ++*(size_t*)arg;
  }
  return true;
}

static void visit(bool abandoned) {
  size_t shown = 0;
  CHECK(abandoned ? mi_abandoned_visit_blocks(mi_subproc_main(), -1, true, show, &shown)
                  : mi_heap_visit_blocks(mi_heap_get_default(), true, show, &shown));
  CHECK_CMP(shown, <=, BLOCKS);
}

static void run(bool abandoned) {
  pthread_t threads[THREADS];
  if (abandoned) {
    CHECK_EQ(pthread_create(&threads[0], NULL, leave, NULL), 0);
    pthread_join(threads[0], NULL);
  } else {
    fill();
  }
  for (size_t i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, free_some, (void*)i), 0);
  pthread_barrier_wait(&filled);
  for (int i = 0; i < 3; i++) visit(abandoned);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(void) {
  pthread_barrier_init(&filled, NULL, THREADS + 1);
  mi_option_enable(mi_option_visit_abandoned);
  for (int round = 0; round < ROUNDS; round++) run(round % 2 == 0);
  puts("clean");
  return 0;
}
