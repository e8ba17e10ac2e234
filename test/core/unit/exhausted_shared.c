/* Where memory is exhausted but for room in segments that all threads share, it is found there, whoever is at work in
   them; by heaps too. */
#include <pthread.h>

#include "check.h"
#include "heap/communal.h"
#include "memory.h"
#include "os/rare.h"

enum { KIB = 1024, SIZE = 100 * KIB, LEAST = 36 * KIB, MOST = 4096, THREADS = 4 };
enum { ROUNDS = 3000 / TEST_SLOWNESS };

static void* blocks[MOST];
static size_t count;

static void take_all(size_t size) {
  for (void* p; (p = mi_malloc(size)) != NULL; blocks[count++] = p) CHECK_CMP(count, <, MOST);
}

static void free_all(void) {
  while (count > 0) mi_free(blocks[--count]);
}

/* The heap itself gets a block that is larger than it needs. */
static void heap_in_what_is_left(void) {
  take_all(LEAST);
  take_all(4 * KIB);
  take_all(64);
  mi_free(blocks[0]);
  mi_heap_t* heap = mi_heap_new();
  CHECK(heap != NULL);
  CHECK(mi_segment_is_communal(mi_segment_find(heap)));
  mi_heap_destroy(heap);
  blocks[0] = mi_malloc(LEAST);
  CHECK(blocks[0] != NULL);
  free_all();
  memory_check();
}

static void* replace(void* arg) {
  for (int i = 0; i < ROUNDS; i++) {
    void* p = mi_malloc(SIZE);
    CHECK(p != NULL);
    mi_free(p);
  }
  return arg;
}

static void* start_and_replace(void* at) {
  mi_free(mi_malloc(1));
  pthread_barrier_wait(at);
  pthread_barrier_wait(at);
  return replace(NULL);
}

/* More room than the threads need, in one segment. */
static void together(void) {
  pthread_t threads[THREADS];
  pthread_barrier_t at;
  pthread_barrier_init(&at, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, start_and_replace, &at), 0);
  }
  pthread_barrier_wait(&at);
  take_all(SIZE);
  for (int i = 0; i < 2 * THREADS; i++) mi_free(blocks[--count]);
  mi_rare_set(mi_rare_race, 3);
  pthread_barrier_wait(&at);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  mi_rare_set(mi_rare_race, 0);
  pthread_barrier_destroy(&at);
  free_all();
}

int main(void) {
  CHECK_EQ(mi_reserve_os_memory(32768 * KIB, true, false), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  mi_rare_set(mi_rare_communal, 1);
  heap_in_what_is_left();
  together();
  mi_collect(true);
  memory_check();
  return 0;
}
