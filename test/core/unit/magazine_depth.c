/* A magazine holds more of a class whose blocks come and go in numbers, and not for longer. */
#include <pthread.h>

#include "check.h"
#include "heap/magazine.h"
#include "heap/magazine_sweep.h"
#include "heap/queue.h"
#include "memory.h"
#include "os/rare.h"

enum { LEAST = 8, BLOCKS = 900, SIZE = 2000, BATCH = 150, REST = 2000 };

typedef struct workload_s {
  void* blocks[BLOCKS];
  size_t size;
} workload_t;

static mi_magazine_t* magazine_of_mine(void) { return mi_heap_get_backing()->magazine; }
static unsigned class_of(size_t size) { return mi_magazine_class(mi_bin_of(size)); }
static unsigned depth_of(size_t size) {
  return mi_magazine_depth(magazine_of_mine(), class_of(size));
}
static size_t held(const mi_magazine_t* magazine, size_t size) {
  size_t held = 0;
  for (unsigned i = 0; i < MI_MAGAZINE_DEPTH; i++) {
    held += atomic_load(&magazine->slots[class_of(size)][i]) != 0;
  }
  return held;
}

/* The rest of a heap of some size. */
static void alloc_rest(void** rest) {
  for (size_t i = 0; i < REST; i++) rest[i] = mi_malloc(5000);
}
static void free_rest(void** rest) {
  for (size_t i = 0; i < REST; i++) mi_free(rest[i]);
}

static void begin(workload_t* load, size_t size) {
  load->size = size;
  for (size_t i = 0; i < BLOCKS; i++) load->blocks[i] = mi_malloc(size);
  CHECK_PTR(magazine_of_mine(), !=, NULL);
  CHECK_EQ(depth_of(size), LEAST);
}
/* Every third block: no page becomes empty. */
static void free_some(workload_t* load, size_t count) {
  for (size_t i = 0; i < count; i++) mi_free(load->blocks[3 * i]);
}
static void alloc_some(workload_t* load, size_t count) {
  for (size_t i = 0; i < count; i++) load->blocks[3 * i] = mi_malloc(load->size);
}
static void free_all(workload_t* load) {
  for (size_t i = 0; i < BLOCKS; i++) mi_free(load->blocks[i]);
}
/* Blocks are freed in numbers, and wanted again. */
static void churn(workload_t* load) {
  for (int round = 0; round < 8; round++) {
    free_some(load, BATCH);
    alloc_some(load, BATCH);
  }
}
static void end(workload_t* load) {
  free_all(load);
  mi_collect(true);
  CHECK_EQ(held(magazine_of_mine(), load->size), 0);
}

static void grows_where_malloc_finds_none(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  free_some(&load, BATCH);
  CHECK_EQ(held(magazine_of_mine(), SIZE), MI_MAGAZINE_DEPTH);
  heaps_check();
  alloc_some(&load, BATCH);
  CHECK_EQ(depth_of(2 * SIZE), LEAST);
  end(&load);
}

static void stays_where_it_is_large_enough(void) {
  workload_t load;
  begin(&load, SIZE);
  for (int round = 0; round < 50; round++) {
    free_some(&load, LEAST);
    alloc_some(&load, LEAST);
  }
  CHECK_EQ(depth_of(SIZE), LEAST);
  end(&load);
}

static void stays_where_it_would_be_much_of_the_heap(void) {
  workload_t load;
  begin(&load, MI_MEDIUM_BLOCK_MAX);
  churn(&load);
  size_t heap = mi_heap_get_backing()->page_count * MI_UNIT_SIZE;
  CHECK_CMP((size_t)2 * LEAST * MI_MEDIUM_BLOCK_MAX, >, heap / 32);
  CHECK_EQ(depth_of(MI_MEDIUM_BLOCK_MAX), LEAST);
  end(&load);
}

static void shrinks_after_a_peak(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  free_some(&load, BLOCKS / 3);
  CHECK_EQ(depth_of(SIZE), LEAST);
  CHECK_CMP(held(magazine_of_mine(), SIZE), <=, LEAST);
  heaps_check();
  alloc_some(&load, BLOCKS / 3);
  end(&load);
}

static void shrinks_when_collected(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  mi_collect(true);
  CHECK_EQ(depth_of(SIZE), LEAST);
  end(&load);
}

static void* takes_all(void* arg) {
  mi_magazine_take_all();
  return arg;
}
static void* churns(void* arg) {
  (void)arg;
  void* rest[REST];
  workload_t load;
  alloc_rest(rest);
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  mi_heap_others_free(mi_heap_get_backing());
  free_some(&load, BATCH);
  mi_magazine_t* magazine = magazine_of_mine();
  CHECK_EQ(held(magazine, SIZE), MI_MAGAZINE_DEPTH);
  pthread_t other;
  CHECK_EQ(pthread_create(&other, NULL, takes_all, NULL), 0);
  pthread_join(other, NULL);
  CHECK_EQ(held(magazine, SIZE), 0);
  alloc_some(&load, BATCH);
  free_all(&load);
  free_rest(rest);
  return magazine;
}

/* Others take all that is in it; and the next thread that has it begins with little. */
static void is_swept_and_handed_on(void) {
  void* first = NULL;
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    void* magazine;
    CHECK_EQ(pthread_create(&thread, NULL, churns, NULL), 0);
    pthread_join(thread, &magazine);
    if (i > 0) CHECK_PTR(magazine, ==, first);
    first = magazine;
  }
}

int main(void) {
  mi_rare_set(mi_rare_magazine, 1);
  void* rest[REST];
  alloc_rest(rest);
  grows_where_malloc_finds_none();
  stays_where_it_is_large_enough();
  stays_where_it_would_be_much_of_the_heap();
  shrinks_after_a_peak();
  shrinks_when_collected();
  is_swept_and_handed_on();
  free_rest(rest);
  mi_collect(true);
  memory_check();
  return 0;
}
