/* Pages of blocks above 1 KiB that a heap takes over from a thread that has ended: nothing that is free in them is kept
   from others, and none stays without a living block. */
#include <pthread.h>

#include "check.h"
#include "heap/heap.h"
#include "memory.h"
#include "os/rare.h"
#include "page/page.h"
#include "segment/segment.h"

enum { SIZE = 16384, COUNT = 1500, HOGS = 60 };

static void* blocks[COUNT];
static pthread_barrier_t step;

static void alloc_all(void) {
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
}

/* Every second block, from this one on. */
static void free_from(int first) {
  for (int i = first; i < COUNT; i += 2) mi_free(blocks[i]);
}

static void* leaves_half(void* arg) {
  alloc_all();
  free_from(0);
  return arg;
}

static void* leaves_all(void* arg) {
  alloc_all();
  return arg;
}

static void run_thread(void* (*fn)(void*)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
  pthread_join(thread, NULL);
}

static void* as_a_thread(void* fn) {
  ((void (*)(void))fn)();
  return NULL;
}

/* Each runs in a thread of its own, with a small heap. */
static void in_a_thread(void (*fn)(void)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, as_a_thread, (void*)fn), 0);
  pthread_join(thread, NULL);
}

/* From now on no page of the size finds a place in the thread's segments. */
static void take_all_places(void** hogs) {
  const mi_heap_t* heap = mi_heap_get_backing();
  for (int i = 0; i < HOGS; i++) {
    bool some = mi_segment_has_free_page(heap->segments, SIZE);
    hogs[i] = some ? mi_malloc(i < 3 ? 1100000 : 60000) : NULL;
  }
  CHECK(!mi_segment_has_free_page(heap->segments, SIZE));
}

static void free_hogs(void** hogs) {
  for (int i = 0; i < HOGS; i++) mi_free(hogs[i]);
}

static void are_shared(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  if (page->bin != mi_bin_of(SIZE) || page == heap->pages[page->bin].first) return;
  if (page->capacity == page->reserved) CHECK(mi_page_is_shared(page));
}

/* The thread wants blocks of the very size that the ended one left. */
static void those_of_the_size_that_is_wanted(void) {
  mi_rare_set(mi_rare_magazine, 1);
  mi_heap_t* heap = mi_heap_get_backing();
  void* first = mi_malloc(2000);
  CHECK_PTR(heap->magazine, !=, NULL);
  run_thread(leaves_half);
  void* hogs[HOGS];
  take_all_places(hogs);
  void* p = mi_malloc(SIZE);
  CHECK_CMP(heap->pages_of[mi_bin_of(SIZE)], >, 10);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, are_shared, NULL);
  heaps_check();
  mi_rare_set(mi_rare_magazine, 0);
  mi_free(p);
  mi_free(first);
  free_hogs(hogs);
  free_from(1);
}

/* Has a page to spare, and so takes nothing over. */
static void* frees_half(void* arg) {
  void* p = mi_malloc(SIZE);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  free_from(0);
  mi_free(p);
  return arg;
}

/* A heap without a magazine, in which no other thread frees, does not share its pages. */
static void those_of_a_small_heap_end(void) {
  void* hogs[HOGS];
  const mi_heap_t* heap = mi_heap_get_backing();
  take_all_places(hogs);
  uint32_t before = heap->pages_of[mi_bin_of(SIZE)];
  pthread_t other;
  CHECK_EQ(pthread_create(&other, NULL, frees_half, NULL), 0);
  pthread_barrier_wait(&step);
  run_thread(leaves_all);
  pthread_barrier_wait(&step);
  pthread_join(other, NULL);
  free_from(1);
  CHECK_CMP(heap->tld->stats.segments_reclaimed, >, 0);
  CHECK_CMP(heap->pages_of[mi_bin_of(SIZE)], <=, before + 1);
  heaps_check();
  free_hogs(hogs);
}

int main(void) {
  pthread_barrier_init(&step, NULL, 2);
  in_a_thread(those_of_the_size_that_is_wanted);
  in_a_thread(those_of_a_small_heap_end);
  mi_collect(true);
  memory_check();
  return 0;
}
