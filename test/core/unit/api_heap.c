/* First-class heaps. */
#include <pthread.h>

#include "check.h"
#include "heap/heap.h"
#include "memory.h"
#include "pattern.h"
#include "segment/segment.h"

enum { BLOCKS = 2000 };

static void* blocks[BLOCKS];

static size_t size_of(int i) { return i % 100 == 0 ? 300000 : i % 500 == 1 ? 3000000 : (size_t)i; }

static void fill(mi_heap_t* heap) {
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = mi_heap_malloc(heap, size_of(i));
    CHECK(blocks[i] != NULL);
    pattern_fill(blocks[i], size_of(i), (uint64_t)i);
    CHECK_PTR(atomic_load(&mi_page_of(blocks[i])->heap), ==, heap);
  }
}

static void verify_and_free(void) {
  for (int i = 0; i < BLOCKS; i++) {
    CHECK(pattern_holds(blocks[i], size_of(i), (uint64_t)i));
    mi_free(blocks[i]);
  }
}

static void backing(void) {
  CHECK(mi_heap_get_backing() != NULL);
  CHECK_PTR(mi_heap_get_default(), ==, mi_heap_get_backing());
}

static void delete_keeps_blocks(void) {
  mi_heap_t* heap = mi_heap_new();
  fill(heap);
  mi_heap_delete(heap);
  heaps_check();
  for (int i = 0; i < BLOCKS; i++) {
    CHECK_PTR(atomic_load(&mi_page_of(blocks[i])->heap), ==, mi_heap_get_backing());
  }
  verify_and_free();
  heaps_check();
}

static void destroy_frees_blocks(void) {
  mi_collect(true);
  memory_t before = memory_gauges();
  mi_heap_t* heap = mi_heap_new();
  fill(heap);
  CHECK_CMP(memory_gauges().committed, >, before.committed + ((int64_t)10 << 20));
  void* other = mi_malloc(100);
  pattern_fill(other, 100, 1);
  mi_heap_destroy(heap);
  mi_collect(true);
  heaps_check();
  CHECK(pattern_holds(other, 100, 1));
  mi_free(other);
  mi_collect(true);
  CHECK_EQ(memory_gauges().committed, before.committed);
  CHECK_EQ(memory_gauges().segments, before.segments);
  CHECK_EQ(memory_gauges().huge, before.huge);
}

static void default_heap(void) {
  mi_heap_t* heap = mi_heap_new();
  mi_heap_t* backing_heap = mi_heap_get_backing();
  CHECK_PTR(mi_heap_set_default(heap), ==, backing_heap);
  CHECK_PTR(mi_heap_get_default(), ==, heap);
  CHECK_PTR(mi_heap_get_backing(), ==, backing_heap);
  void* p = mi_malloc(100);
  CHECK_PTR(atomic_load(&mi_page_of(p)->heap), ==, heap);
  CHECK_PTR(mi_heap_set_default(NULL), ==, heap);
  /* Deleting the default heap makes the backing heap the default again. */
  mi_heap_delete(heap);
  CHECK_PTR(mi_heap_get_default(), ==, backing_heap);
  mi_free(p);
  heap = mi_heap_new();
  mi_heap_set_default(heap);
  p = mi_malloc(100);
  (void)p;
  mi_heap_destroy(heap);
  CHECK_PTR(mi_heap_get_default(), ==, backing_heap);
}

static void every_call(void) {
  mi_heap_t* heap = mi_heap_new();
  void* p[8] = {
      mi_heap_malloc(heap, 10),
      mi_heap_zalloc(heap, 10),
      mi_heap_calloc(heap, 10, 10),
      mi_heap_malloc_small(heap, 10),
      mi_heap_malloc_aligned(heap, 10, 64),
      mi_heap_zalloc_aligned(heap, 10, 64),
      mi_heap_malloc_aligned_at(heap, 10, 64, 8),
      mi_heap_realloc(heap, NULL, 10),
  };
  p[7] = mi_heap_realloc(heap, p[7], 5000);
  p[0] = mi_heap_realloc_aligned(heap, p[0], 5000, 256);
  for (int i = 0; i < 8; i++) CHECK_PTR(atomic_load(&mi_page_of(p[i])->heap), ==, heap);
  /* A block may move to another heap when it is resized. */
  p[1] = mi_realloc(p[1], 100000);
  CHECK_PTR(atomic_load(&mi_page_of(p[1])->heap), ==, mi_heap_get_backing());
  mi_heap_collect(heap, false);
  mi_heap_collect(heap, true);
  mi_heap_collect(NULL, true);
  CHECK(mi_heap_is_valid(heap));
  mi_heap_delete(heap);
  for (int i = 0; i < 8; i++) mi_free(p[i]);
  mi_heap_delete(NULL);
  mi_heap_destroy(NULL);
}

static void* thread_frees(void* arg) {
  (void)arg;
  verify_and_free();
  return NULL;
}

static void* thread_leaves_heaps(void* arg) {
  (void)arg;
  mi_heap_t* heap = mi_heap_new();
  mi_heap_set_default(mi_heap_new());
  fill(heap);
  return NULL;
}

/* Other threads free into a heap, before and after it is deleted; and a thread ends with heaps. */
static void other_threads(void) {
  pthread_t thread;
  mi_heap_t* heap = mi_heap_new();
  fill(heap);
  CHECK_EQ(pthread_create(&thread, NULL, thread_frees, NULL), 0);
  pthread_join(thread, NULL);
  mi_heap_collect(heap, true);
  CHECK_EQ(heap->page_count, 0);
  fill(heap);
  mi_heap_delete(heap);
  CHECK_EQ(pthread_create(&thread, NULL, thread_frees, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(pthread_create(&thread, NULL, thread_leaves_heaps, NULL), 0);
  pthread_join(thread, NULL);
  verify_and_free();
}

int main(void) {
  backing();
  delete_keeps_blocks();
  destroy_frees_blocks();
  default_heap();
  every_call();
  other_threads();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
