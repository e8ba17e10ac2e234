/* A visitor of abandoned blocks that ends its thread does not block those who come after it, and what it was looking at
   can be adopted and freed. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"

static void* left[2];

static void* leave(void* arg) {
  left[0] = mi_malloc(100);
  left[1] = mi_malloc(5000000);
  return arg;
}

static void run(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  pthread_join(thread, NULL);
}

static bool
end_at(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* wanted) {
  (void)heap;
  (void)size;
  if (block != NULL && area->block_size >= *(size_t*)wanted) pthread_exit(NULL);
  return true;
}

static bool free_and_end(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                         size_t size, void* arg) {
  (void)heap, (void)area, (void)size, (void)arg;
  if (block == NULL) return true;
  mi_free(block);
  pthread_exit(NULL);
}

static bool call_done(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                      void* shown) {
  (void)heap, (void)area, (void)size;
  if (block == NULL) return true;
  ++*(int*)shown;
  mi_thread_done();
  return true;
}

/* Not in the middle of a visit: the thread goes on with what it was shown. */
static void done_in_a_visit(void) {
  int shown = 0;
  run(leave, NULL);
  CHECK(mi_abandoned_visit_blocks(mi_subproc_main(), -1, true, call_done, &shown));
  CHECK_EQ(shown, 2);
  mi_free(left[0]);
  mi_free(left[1]);
}

static void* free_first(void* arg) {
  mi_abandoned_visit_blocks(mi_subproc_main(), -1, true, free_and_end, NULL);
  CHECK(false);
  return arg;
}

static void* visit(void* wanted) {
  mi_abandoned_visit_blocks(mi_subproc_main(), -1, true, end_at, wanted);
  CHECK(false);
  return NULL;
}

int main(void) {
  static size_t wanted[] = {100, 5000000};
  mi_option_enable(mi_option_visit_abandoned);
  mi_thread_init();
  for (int i = 0; i < 2; i++) {
    run(leave, NULL);
    run(visit, &wanted[i]);
    mi_subproc_delete(mi_subproc_new()); /* which visits too */
    mi_free(left[0]);
    mi_free(left[1]);
    mi_collect(true);
    memory_check();
    CHECK_EQ(memory_gauges().abandoned, 0);
    CHECK_EQ(memory_gauges().huge, 0);
  }
  done_in_a_visit();
  mi_option_disable(mi_option_abandoned_reclaim_on_free);
  run(leave, NULL);
  run(free_first, NULL);
  CHECK_EQ(memory_gauges().abandoned, 0);
  mi_free(left[1]);
  memory_check();
  return 0;
}
