/* Every allocating call of a heap gives a block of that heap, also when it resizes one of another. */
#include <limits.h>
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "pattern.h"
#include "segment/segment.h"

static mi_heap_t* heap;

static mi_heap_t* heap_of(const void* p) {
  CHECK(p != NULL);
  return atomic_load(&mi_page_of(p)->heap);
}

static void take(void* p, size_t size, bool zero, size_t align, size_t offset) {
  CHECK_PTR(heap_of(p), ==, heap);
  CHECK_CMP(mi_usable_size(p), >=, size);
  CHECK_EQ(((uintptr_t)p + offset) % align, 0);
  if (zero) CHECK(is_all_zero(p, size));
  memset(p, 0xEE, size);
  mi_free(p);
}

static void fresh(size_t size) {
  take(mi_heap_malloc(heap, size), size, false, 1, 0);
  take(mi_heap_zalloc(heap, size), size, true, 1, 0);
  take(mi_heap_calloc(heap, size, 3), 3 * size, true, 1, 0);
  take(mi_heap_mallocn(heap, 3, size), 3 * size, false, 1, 0);
  if (size <= MI_SMALL_SIZE_MAX) {
    take(mi_heap_malloc_small(heap, size), size, false, 1, 0);
    take(mi_heap_zalloc_small(heap, size), size, true, 1, 0);
  }
  take(mi_heap_malloc_aligned(heap, size, 64), size, false, 64, 0);
  take(mi_heap_malloc_aligned_at(heap, size, 128, 8), size, false, 128, 8);
  take(mi_heap_zalloc_aligned(heap, size, 256), size, true, 256, 0);
  take(mi_heap_zalloc_aligned_at(heap, size, 512, 16), size, true, 512, 16);
  take(mi_heap_calloc_aligned(heap, size, 3, 1024), 3 * size, true, 1024, 0);
  take(mi_heap_calloc_aligned_at(heap, 3, size, 2048, 24), 3 * size, true, 2048, 24);
  take(mi_heap_alloc_new(heap, size), size, false, 1, 0);
  take(mi_heap_alloc_new_n(heap, 3, size), 3 * size, false, 1, 0);
}

/* `other` holds blocks that are to move over, even where they could stay at their place. */
static void resized(mi_heap_t* other, size_t size) {
  void* p[10];
  for (int i = 0; i < 10; i++) {
    p[i] = mi_heap_zalloc_aligned(other, size, 64);
    CHECK_PTR(heap_of(p[i]), ==, other);
    memset(p[i], 0xEE, size);
  }
  p[0] = mi_heap_realloc(heap, p[0], size);
  p[1] = mi_heap_reallocn(heap, p[1], 2, size);
  p[2] = mi_heap_reallocf(heap, p[2], size);
  p[3] = mi_heap_realloc_aligned(heap, p[3], size, 64);
  p[4] = mi_heap_realloc_aligned_at(heap, p[4], size, 64, 64);
  p[5] = mi_heap_rezalloc(heap, p[5], size);
  p[6] = mi_heap_recalloc(heap, p[6], 2, size);
  p[7] = mi_heap_rezalloc_aligned(heap, p[7], size, 32);
  p[8] = mi_heap_recalloc_aligned(heap, p[8], 2, size, 64);
  p[9] = mi_heap_recalloc_aligned_at(heap, p[9], 1, size, 64, 8);
  for (int i = 0; i < 10; i++) {
    const uint8_t* bytes = p[i];
    CHECK_PTR(heap_of(p[i]), ==, heap);
    CHECK_EQ(bytes[0], 0xEE);
    CHECK_EQ(bytes[size - 1], 0xEE);
  }
  CHECK(is_all_zero((uint8_t*)p[6] + size, size));
  CHECK(is_all_zero((uint8_t*)p[8] + size, size));
  /* In its own heap it stays, and so it does if any heap will do. */
  CHECK_PTR(mi_heap_realloc(heap, p[0], size), ==, p[0]);
  CHECK_PTR(mi_realloc(p[0], size), ==, p[0]);
  CHECK_PTR(mi_heap_realloc(NULL, p[0], size), ==, p[0]);
  for (int i = 0; i < 10; i++) mi_free(p[i]);
}

/* What moved over outlives the heap that it came from. */
static void outlives(void) {
  mi_heap_t* other = mi_heap_new();
  void* p = mi_heap_malloc(other, 1000);
  pattern_fill(p, 1000, 1);
  void* q = mi_heap_malloc(other, 3000000);
  pattern_fill(q, 3000000, 2);
  p = mi_heap_realloc(heap, p, 1000);
  q = mi_heap_realloc(heap, q, 3000000);
  mi_heap_destroy(other);
  CHECK(pattern_holds(p, 1000, 1));
  CHECK(pattern_holds(q, 3000000, 2));
  mi_free(p);
  mi_free(q);
}

enum { SHARED = 200 };
static void* shared[SHARED];

static size_t shared_size(int i) { return i % 50 == 0 ? 3000000 : 100 + 37 * (size_t)i; }

static void* thread_takes_over(void* arg) {
  (void)arg;
  mi_heap_t* own = mi_heap_new();
  for (int i = 0; i < SHARED; i++) {
    /* It may stay where it is, or not. */
    shared[i] = i % 2 == 0 ? mi_heap_realloc(own, shared[i], shared_size(i))
                           : mi_realloc(shared[i], shared_size(i));
    CHECK_PTR(heap_of(shared[i]), ==, i % 2 == 0 ? own : heap);
    CHECK(pattern_holds(shared[i], shared_size(i), (uint64_t)i));
  }
  return NULL;
}

/* Another thread's block comes to the heap too, and leaves its own in order. */
static void across_threads(void) {
  pthread_t thread;
  for (int i = 0; i < SHARED; i++) {
    shared[i] = mi_heap_malloc(heap, shared_size(i));
    pattern_fill(shared[i], shared_size(i), (uint64_t)i);
  }
  CHECK_EQ(pthread_create(&thread, NULL, thread_takes_over, NULL), 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < SHARED; i++) {
    CHECK(pattern_holds(shared[i], shared_size(i), (uint64_t)i));
    mi_free(shared[i]);
  }
}

/* Also in a heap: the old block stays, except with reallocf. */
static void failing(mi_heap_t* other) {
  volatile size_t most = PTRDIFF_MAX;
  uint8_t* p = mi_heap_malloc(other, 100);
  pattern_fill(p, 100, 1);
  CHECK_PTR(mi_heap_realloc(heap, p, most), ==, NULL);
  CHECK_PTR(mi_heap_reallocn(heap, p, most, 3), ==, NULL);
  CHECK_PTR(mi_heap_recalloc(heap, p, most, 3), ==, NULL);
  CHECK_PTR(mi_heap_recalloc_aligned_at(heap, p, most, 3, 64, 8), ==, NULL);
  CHECK_PTR(mi_heap_realloc_aligned(heap, p, 10, most), ==, NULL);
  CHECK_PTR(mi_heap_mallocn(heap, most, 3), ==, NULL);
  CHECK_PTR(mi_heap_calloc_aligned_at(heap, most, 3, 64, 8), ==, NULL);
  CHECK_PTR(heap_of(p), ==, other);
  CHECK(pattern_holds(p, 100, 1));
  CHECK_PTR(mi_heap_reallocf(heap, p, most), ==, NULL);
}

static void strings(void) {
  char cwd[PATH_MAX];
  char* s = mi_heap_strdup(heap, "abc");
  CHECK_STR(s, "abc");
  take(s, 4, false, 1, 0);
  s = mi_heap_strndup(heap, "abcdef", 3);
  CHECK_STR(s, "abc");
  take(s, 4, false, 1, 0);
  CHECK(realpath(".", cwd) != NULL);
  s = mi_heap_realpath(heap, ".", NULL);
  CHECK_STR(s, cwd);
  take(s, strlen(cwd) + 1, false, 1, 0);
  char own[PATH_MAX];
  CHECK_PTR(mi_heap_realpath(heap, ".", own), ==, own);
  CHECK_PTR(mi_heap_strdup(heap, NULL), ==, NULL);
  CHECK_PTR(mi_heap_strndup(heap, NULL, 3), ==, NULL);
  CHECK_PTR(mi_heap_realpath(heap, "does/not/exist", NULL), ==, NULL);
}

typedef struct point_s {
  double x, y;
} point_t;

static void by_type(void) {
  point_t* p = mi_heap_malloc_tp(heap, point_t);
  take(p, sizeof(*p), false, 8, 0);
  p = mi_heap_zalloc_tp(heap, point_t);
  take(p, sizeof(*p), true, 8, 0);
  p = mi_heap_calloc_tp(heap, point_t, 10);
  CHECK_EQ(p[9].y, 0);
  p = mi_heap_recalloc_tp(heap, p, point_t, 100);
  take(p, 100 * sizeof(*p), true, 8, 0);
  p = mi_heap_mallocn_tp(heap, point_t, 10);
  p[9].y = 9;
  p = mi_heap_reallocn_tp(heap, p, point_t, 1000);
  CHECK_EQ(p[9].y, 9);
  take(p, 1000 * sizeof(*p), false, 8, 0);
  p = mi_malloc_tp(point_t);
  mi_free(p);
  p = mi_zalloc_tp(point_t);
  CHECK_EQ(p->x, 0);
  mi_free(p);
  p = mi_mallocn_tp(point_t, 10);
  p = mi_reallocn_tp(p, point_t, 20);
  CHECK_CMP(mi_usable_size(p), >=, 20 * sizeof(*p));
  mi_free(p);
  p = mi_calloc_tp(point_t, 10);
  p = mi_recalloc_tp(p, point_t, 200);
  CHECK(is_all_zero(p, 200 * sizeof(*p)));
  mi_free(p);
}

int main(void) {
  mi_option_disable(mi_option_show_errors); /* of counts that overflow */
  heap = mi_heap_new();
  mi_heap_t* other = mi_heap_new();
  static const size_t some[] = {1, 24, 1000, 20000, 200000, 1000000, 3000000};
  for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
    fresh(some[i]);
    resized(other, some[i]);
    resized(mi_heap_get_backing(), some[i]);
  }
  outlives();
  across_threads();
  failing(other);
  strings();
  by_type();
  heaps_check();
  mi_heap_delete(other);
  mi_heap_destroy(heap);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
