/* Pages that a thread did not begin itself, in each of which one block is alive: it got them from a thread that has
   ended, or from a heap that it deleted. Then that block is freed, too, by the thread or by another one, and the thread
   sleeps. The memory goes back all the same. */
#include "rss.h"

enum { SIZES = 8, PAGES = 64, OF_PAGE = 12, LEAST = 18000, STEP = 2000 };
enum {
  FRESH = 100,
  FRESH_SIZE = 1500000
};                  /* blocks for which a thread takes over what others left */
enum { DEEP = 90 }; /* blocks that come and go, for which a magazine becomes deep */

typedef enum source_e { ENDED_THREAD, DELETED_HEAP } source_t;
typedef enum freer_e { ITSELF, ANOTHER } freer_t;

static void* kept[SIZES][PAGES];
static pthread_barrier_t step;

static size_t size_of(size_t i) { return LEAST + i * STEP; }

static void* alloc(mi_heap_t* heap, size_t size) {
  void* p = mi_heap_malloc(heap, size);
  return memset(p, 1, size);
}

/* Fills pages, and frees all but one block of each. */
static void make_pages(mi_heap_t* heap) {
  static void* all[PAGES * OF_PAGE];
  for (size_t i = 0; i < SIZES; i++) {
    for (size_t j = 0; j < PAGES * OF_PAGE; j++) all[j] = alloc(heap, size_of(i));
    for (size_t j = 0; j < PAGES * OF_PAGE; j++) {
      if (j % OF_PAGE == OF_PAGE / 2) {
        kept[i][j / OF_PAGE] = all[j];
      } else {
        mi_free(all[j]);
      }
    }
  }
}

static void* end_with_pages(void* arg) {
  make_pages(mi_heap_get_backing());
  return arg;
}

static void take_over(void) {
  static void* fresh[FRESH];
  for (size_t i = 0; i < FRESH; i++) fresh[i] = alloc(mi_heap_get_backing(), FRESH_SIZE);
  for (size_t i = 0; i < FRESH; i++) mi_free(fresh[i]);
}

static void free_kept(size_t i) {
  for (size_t j = 0; j < PAGES; j++) mi_free(kept[i][j]);
}

/* Where the magazine has a block of the size, and room for all others. */
static void free_into_magazine(size_t i) {
  void* blocks[DEEP];
  for (int round = 0; round < 8; round++) {
    for (size_t j = 0; j < DEEP; j++) blocks[j] = mi_malloc(size_of(i));
    for (size_t j = 0; j < DEEP; j++) mi_free(blocks[j]);
  }
  for (size_t j = 0; j < DEEP; j++) blocks[j] = mi_malloc(size_of(i));
  mi_free(blocks[0]);
  free_kept(i);
  for (size_t j = 1; j < DEEP; j++) mi_free(blocks[j]);
}

typedef struct run_s {
  source_t source;
  freer_t freer;
} run_t;

static void* inherit_and_sleep(void* arg) {
  const run_t* run = arg;
  mi_free(mi_malloc(1));
  if (run->source == DELETED_HEAP) {
    mi_heap_t* heap = mi_heap_new();
    make_pages(heap);
    take_over(); /* there is a magazine now */
    mi_heap_delete(heap);
  } else {
    take_over();
  }
  for (size_t i = 0; i < SIZES && run->freer == ITSELF; i++) free_into_magazine(i);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  return NULL;
}

static void start_thread(pthread_t* thread, void* (*fn)(void*), void* arg) {
  CHECK_EQ(pthread_create(thread, NULL, fn, arg), 0);
}

static void measure(const char* what, source_t source, freer_t freer, size_t start) {
  run_t run = {source, freer};
  pthread_t thread;
  if (source == ENDED_THREAD) {
    start_thread(&thread, end_with_pages, NULL);
    pthread_join(thread, NULL);
  }
  start_thread(&thread, inherit_and_sleep, &run);
  pthread_barrier_wait(&step);
  for (size_t i = 0; i < SIZES && freer == ANOTHER; i++) free_kept(i);
  collect_for(1000);
  require_rss(what, start, 8 * MIB);
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
  mi_collect(true);
}

int main(void) {
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  pthread_barrier_init(&step, NULL, 2);
  measure("of an ended thread", ENDED_THREAD, ITSELF, start);
  measure("of an ended thread, freed by another", ENDED_THREAD, ANOTHER, start);
  measure("of a deleted heap", DELETED_HEAP, ITSELF, start);
  measure("of a deleted heap, freed by another", DELETED_HEAP, ANOTHER, start);
  return 0;
}
