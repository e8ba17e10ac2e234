/* Process and thread calls that programs may make, though none needs to. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"

static void* attach_and_detach(void* arg) {
  void** left = arg;
  mi_thread_init();
  mi_thread_init();
  CHECK_EQ(memory_gauges().threads, 2);
  left[0] = mi_malloc(100);
  mi_thread_done();
  CHECK_EQ(memory_gauges().threads, 1);
  mi_thread_done();
  mi_free(left[0]); /* its own block, now nobody's */
  left[0] = mi_malloc(100);
  CHECK_EQ(memory_gauges().threads, 2);
  mi_thread_done();
  left[1] = mi_malloc(100);
  return NULL;
}

/* Let go of, a thread's blocks are there for all; it goes on as before. */
static void collect_reduce(void) {
  void* blocks[100];
  for (int i = 0; i < 100; i++) memset(blocks[i] = mi_malloc(1000 << (i % 8)), 1, 1000);
  mi_heap_t* heap = mi_heap_get_default();
  mi_collect_reduce((size_t)1 << 40);
  CHECK_EQ(memory_gauges().abandoned, 0);
  mi_heap_t* other = mi_heap_new();
  mi_collect_reduce(0); /* not while there are other heaps */
  CHECK_EQ(memory_gauges().abandoned, 0);
  mi_heap_delete(other);
  int64_t segments = memory_gauges().segments;
  mi_collect_reduce(0);
  memory_check();
  heaps_check();
  CHECK_CMP(segments, >, 0);
  CHECK_EQ(memory_gauges().abandoned, segments);
  void* p = mi_heap_malloc(heap, 100); /* the heap is still the thread's */
  CHECK_PTR(mi_heap_get_default(), ==, heap);
  mi_free(p);
  for (int i = 0; i < 100; i++) mi_free(blocks[i]);
  mi_collect_reduce(0);
  CHECK_EQ(memory_gauges().segments, 0);
}

int main(void) {
  mi_process_init();
  mi_process_init();
  CHECK_EQ(mi_version(), MI_MALLOC_VERSION);
  CHECK(!mi_is_redirected());
  mi_thread_init();
  CHECK_EQ(memory_gauges().threads, 1);
  void* left[2];
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, attach_and_detach, left), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(memory_gauges().threads, 1);
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  mi_free(left[0]);
  mi_free(left[1]);
  size_t elapsed, user, system, rss, peak_rss, commit, peak_commit, faults;
  char* p = mi_malloc(50 << 20);
  memset(p, 1, 50 << 20);
  mi_process_info(&elapsed, &user, &system, &rss, &peak_rss, &commit, &peak_commit, &faults);
  CHECK_CMP(rss, >=, 50 << 20);
  CHECK_CMP(peak_rss + (1 << 20), >=, rss);
  CHECK_CMP(commit, >=, 50 << 20);
  CHECK_CMP(peak_commit, >=, commit);
  CHECK_EQ((int64_t)commit, memory_gauges().committed);
  CHECK_CMP(elapsed, <, 600000);
  mi_free(p);
  mi_collect(true);
  collect_reduce();
  mi_thread_set_in_threadpool();
  mi_process_done();
  mi_process_done();
  p = mi_malloc(1000);
  CHECK(p != NULL);
  mi_process_info(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  mi_free(p);
  mi_collect(true);
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
