/* Where the end of a thread cannot be noticed, plain allocation works, and the thread gets no heap that outlives a
   call, from its first call on. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "pattern.h"

static void take_keys(void) {
  pthread_key_t key;
  while (pthread_key_create(&key, NULL) == 0) {
  }
}

/* Before any constructor runs, and so before miheap begins, all keys are somebody else's. */
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = take_keys;

static bool
allocate(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  mi_free(mi_malloc(100));
  return true;
}

static void* new_heap(void* arg) {
  CHECK_PTR(mi_heap_new(), ==, NULL);
  return arg;
}

static void* default_heap(void* arg) {
  CHECK_PTR(mi_heap_get_default(), ==, NULL);
  return arg;
}

static void check_inside(uint8_t* p, size_t size) {
  CHECK(p != NULL);
  CHECK_EQ(((uintptr_t)p + 3) % 64, 0);
  pattern_fill(p, size, 1);
  p = mi_realloc_aligned_at(p, 2 * size, 64, 3);
  CHECK(p != NULL);
  CHECK_EQ(((uintptr_t)p + 3) % 64, 0);
  CHECK(pattern_holds(p, size, 1));
  mi_free(p);
}

static void* inside_of_a_block(void* arg) {
  check_inside(mi_malloc_aligned_at(100, 64, 3), 100);
  return arg;
}

static void* inside_of_a_huge_block(void* arg) {
  check_inside(mi_malloc_aligned_at(3000000, 64, 3), 3000000);
  return arg;
}

static void* resized_inside_of_a_block(void* arg) {
  check_inside(mi_realloc_aligned_at(NULL, 100, 64, 3), 100);
  return arg;
}

static void* begin(void* arg) {
  mi_thread_init();
  return arg;
}

static void* collect(void* arg) {
  mi_collect(true);
  return arg;
}

static void* visit(void* arg) {
  CHECK(!mi_abandoned_visit_blocks(mi_subproc_main(), -1, true, allocate, NULL));
  return arg;
}

static void* plain(void* arg) {
  for (size_t size = 1; size < 100000; size = size * 2 + 1) {
    void* p = mi_malloc(size);
    void* q = mi_malloc_aligned(size, 256);
    CHECK(p != NULL && q != NULL);
    pattern_fill(p, size, size);
    p = mi_realloc(p, 2 * size);
    CHECK(pattern_holds(p, size, size));
    mi_free(p);
    mi_free(q);
  }
  mi_collect(true);
  return arg;
}

int main(void) {
  static void* (*const first_calls[])(void*) = {new_heap,
                                                default_heap,
                                                inside_of_a_block,
                                                inside_of_a_huge_block,
                                                resized_inside_of_a_block,
                                                begin,
                                                collect,
                                                visit,
                                                plain};
  mi_option_enable(mi_option_visit_abandoned);
  for (size_t i = 0; i < sizeof(first_calls) / sizeof(first_calls[0]); i++) {
    void* left = mi_malloc(1000); /* abandoned at once */
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, first_calls[i], NULL), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(memory_gauges().threads, 0);
    plain(NULL);
    mi_free(left);
    memory_check();
  }
  return 0;
}
