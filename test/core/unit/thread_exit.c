/* Exit handlers of a thread that run after miheap's own may allocate and free as ever. A heap of
   their own they may get or not: there may be nobody left to end it. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/sanitizer.h"
#include "pattern.h"

/* ThreadSanitizer takes its leave in the last round that the C library offers, and before our handler,
   which runs one round after that of this test. */
enum { LEFT = 40, ROUNDS = MI_OS_TSAN ? 2 : 4 };

static pthread_key_t key;
static void* left[LEFT];
static void* of_thread;

/* Several rounds: each makes the key's value non-NULL again, so that miheap's handler runs in between. */
static void at_exit(void* value) {
  uintptr_t round = (uintptr_t)value;
  for (int i = 0; i < LEFT / 4; i++) {
    size_t size = (size_t)i * 3000;
    void* p = mi_malloc(size);
    CHECK(p != NULL);
    pattern_fill(p, size, round);
    if (i % 2 == 0) p = mi_realloc(p, size + 5000);
    CHECK(pattern_holds(p, size, round));
    left[(round - 1) * (LEFT / 4) + (uintptr_t)i] = p;
  }
  mi_free(of_thread);
  of_thread = mi_malloc(100);
  mi_heap_t* heap = mi_heap_new();
  if (heap != NULL) {
    void* p = mi_heap_malloc(heap, 100);
    void* q = mi_heap_malloc(heap, 3000000);
    CHECK(p != NULL && q != NULL);
    mi_free(p);
    mi_heap_delete(heap);
    mi_free(q);
  }
  heap = mi_heap_get_default();
  if (heap != NULL) mi_free(mi_heap_malloc(heap, 100));
  mi_collect(true);
  if (round < ROUNDS) pthread_setspecific(key, (void*)(round + 1));
}

/* The same in the last round only: no heap is there in those before. */
static pthread_key_t late_key;

static void at_late_exit(void* value) {
  uintptr_t round = (uintptr_t)value;
  if (round < ROUNDS) {
    pthread_setspecific(late_key, (void*)(round + 1));
  } else {
    at_exit(value);
  }
}

static void* work(void* arg) {
  pthread_setspecific(*(pthread_key_t*)arg, (void*)1);
  of_thread = mi_malloc(100);
  return arg;
}

static void run(pthread_key_t which) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, work, &which), 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < LEFT; i++) mi_free(left[i]);
  memset(left, 0, sizeof(left));
  mi_free(of_thread);
}

int main(void) {
  mi_thread_init();
  /* After miheap's key, whose handlers therefore run first. */
  CHECK_EQ(pthread_key_create(&key, at_exit), 0);
  CHECK_EQ(pthread_key_create(&late_key, at_late_exit), 0);
  for (int i = 0; i < 20; i++) {
    run(key);
    run(late_key);
  }
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().threads, 1);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
