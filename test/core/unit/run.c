/* Runs of slots: huge blocks in chunks use memory again, grow where there is room, and move out where there is
   none. */
#include "segment/run.h"

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/rare.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)

static mi_segment_t* segment_at(const void* p) {
  return (mi_segment_t*)((uintptr_t)p & ~(uintptr_t)MI_SEGMENT_MASK);
}
static bool is_in_run(const void* p) { return segment_at(p)->chunk != NULL; }

static void places(void) {
  static const size_t sizes[] = {2 * MIB + 1, 4 * MIB, 8 * MIB - 1, 20 * MIB, 31 * MIB};
  uint8_t* blocks[5];
  for (int i = 0; i < 5; i++) {
    blocks[i] = mi_malloc(sizes[i]);
    CHECK(is_in_run(blocks[i]));
    CHECK_CMP(mi_usable_size(blocks[i]), >=, sizes[i]);
    pattern_fill(blocks[i], sizes[i], (uint64_t)i);
    memory_check();
  }
  for (int i = 0; i < 5; i++) {
    CHECK(pattern_holds(blocks[i], sizes[i], (uint64_t)i));
    mi_free(blocks[i]);
    memory_check();
  }
  void* large = mi_malloc(33 * MIB);
  CHECK(!is_in_run(large));
  mi_free(large);
}

/* What was freed is taken again, by blocks of any size, and known not to be zero. */
static void reuse(void) {
  mi_collect(true);
  uint8_t* p = mi_malloc(10 * MIB);
  memset(p, 1, 10 * MIB);
  mi_free(p);
  int64_t committed = memory_gauges().committed;
  uint8_t* q = mi_zalloc(5 * MIB);
  CHECK_PTR(q, ==, p);
  CHECK_EQ(memory_gauges().committed, committed);
  for (size_t i = 0; i < 5 * MIB; i++) CHECK_EQ(q[i], 0);
  uint8_t* small = mi_malloc(100);
  CHECK_CMP((size_t)(small - q), <, MI_CHUNK_SIZE);
  mi_free(small);
  mi_free(q);
  memory_check();
}

static void grows_in_place(void) {
  mi_collect(true);
  uint8_t* p = mi_malloc(3 * MIB);
  pattern_fill(p, 3 * MIB, 1);
  for (size_t size = 4 * MIB; size <= 30 * MIB; size += 2 * MIB) {
    uint8_t* grown = mi_rezalloc(p, size);
    CHECK_PTR(grown, ==, p);
    CHECK(pattern_holds_prefix(grown, 3 * MIB, 3 * MIB, 1));
    grown[size - 1] = 7;
    p = grown;
    memory_check();
  }
  uint8_t* shrunk = mi_realloc(p, 8 * MIB);
  CHECK_PTR(shrunk, ==, p);
  CHECK_CMP(mi_usable_size(p), <, 9 * MIB);
  memory_check();
  mi_free(p);
}

static void moves_out(void) {
  mi_collect(true);
  uint8_t* p = mi_zalloc(5 * MIB);
  uint8_t* wall = mi_malloc(3 * MIB); /* behind it */
  CHECK(is_in_run(p) && is_in_run(wall));
  pattern_fill(p, 5 * MIB, 2);
  uint8_t* moved = mi_rezalloc(p, 12 * MIB);
  CHECK(moved != NULL && moved != p);
  CHECK(pattern_holds_prefix(moved, 5 * MIB, 5 * MIB, 2));
  for (size_t i = 5 * MIB; i < 12 * MIB; i++) CHECK_EQ(moved[i], 0);
  memory_check();
  uint8_t* again = mi_realloc(moved, 200 * MIB);
  CHECK(again != NULL);
  CHECK(pattern_holds_prefix(again, 5 * MIB, 5 * MIB, 2));
  memory_check();
  mi_free(again);
  mi_free(wall);
  mi_collect(true);
  memory_check();
}

/* Whatever the system refuses, the block is as it was. */
static void growing_fails(void) {
  for (long at = 1; at < 5; at++) {
    uint8_t* p = mi_malloc(5 * MIB);
    uint8_t* wall = mi_malloc(3 * MIB);
    pattern_fill(p, 5 * MIB, 3);
    mi_os_fail_from(at);
    uint8_t* moved = mi_realloc(p, 60 * MIB);
    mi_os_fail_from(0);
    CHECK(pattern_holds_prefix(moved == NULL ? p : moved, 5 * MIB, 5 * MIB, 3));
    memory_check();
    mi_free(moved == NULL ? p : moved);
    mi_free(wall);
  }
}

static void* make(void* arg) {
  uint8_t** block = arg;
  *block = mi_malloc(6 * MIB);
  pattern_fill(*block, 6 * MIB, 4);
  return NULL;
}

static bool count_block(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* arg) {
  (void)heap, (void)area;
  if (block != NULL && size >= 6 * MIB) ++*(size_t*)arg;
  return true;
}

/* Its thread has ended: it is visited, and freed by another. */
static void abandoned(void) {
  uint8_t* block;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, make, &block), 0);
  pthread_join(thread, NULL);
  size_t found = 0;
  mi_option_enable(mi_option_visit_abandoned);
  CHECK(mi_abandoned_visit_blocks(NULL, -1, true, count_block, &found));
  CHECK_EQ(found, 1);
  CHECK(pattern_holds(block, 6 * MIB, 4));
  mi_free(block);
  memory_check();
  found = 0;
  CHECK(mi_abandoned_visit_blocks(NULL, -1, true, count_block, &found));
  CHECK_EQ(found, 0);
}

int main(void) {
  places();
  reuse();
  grows_in_place();
  moves_out();
  growing_fails();
  abandoned();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  return 0;
}
