/* Where threads free each other's large blocks, these come from what all threads share, and go back there. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "heap/communal.h"
#include "memory.h"
#include "os/rare.h"
#include "page/page.h"
#include "pattern.h"
#include "segment/purge.h"

enum {
  KIB = 1024,
  SIZE = 100 * KIB,
  WITHIN_UNIT = 40 * KIB,
  LARGEST = 2048 * KIB,
  ENOUGH = 32,
  COUNT = 200
};

static void* blocks[COUNT];

static bool is_communal(const void* p) { return mi_segment_is_communal(mi_segment_find(p)); }

static void* in_thread(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  void* result;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  pthread_join(thread, &result);
  return result;
}

static void* take_all(void* size) {
  for (size_t i = 0; i < COUNT; i++) {
    blocks[i] = mi_malloc((size_t)size);
    pattern_fill(blocks[i], (size_t)size, i);
  }
  return NULL;
}

static void* free_all(void* size) {
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(pattern_holds(blocks[i], (size_t)size, i));
    mi_free(blocks[i]);
  }
  return NULL;
}

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

/* A thread's large blocks are its own until others have freed some. */
static void learn(void) {
  for (int i = 0; i < ENOUGH; i++) {
    void* p = mi_malloc(SIZE);
    CHECK(!is_communal(p));
    in_thread(free_it, p);
  }
  mi_collect(true); /* a page that the heap kept would serve, too */
  void* p = mi_malloc(SIZE);
  CHECK(is_communal(p));
  void* small = mi_malloc(MI_MEDIUM_BLOCK_MAX);
  void* huge = mi_malloc(LARGEST + 1);
  CHECK(!is_communal(small) && !is_communal(huge));
  memory_check();
  mi_free(small);
  mi_free(huge);
  mi_free(p);
}

/* What one thread freed the next one gets, though the first one sleeps. */
static void shared(size_t size) {
  in_thread(take_all, (void*)size);
  int64_t segments = memory_gauges().segments;
  for (size_t i = 0; i < COUNT; i++) CHECK(is_communal(blocks[i]));
  memory_check();
  for (int round = 0; round < 5; round++) {
    free_all((void*)size);
    in_thread(take_all, (void*)size);
    CHECK_CMP(memory_gauges().segments, <=, segments + 1);
    in_thread(free_all, (void*)size);
    take_all((void*)size);
    CHECK_CMP(memory_gauges().segments, <=, segments + 1);
  }
  free_all((void*)size);
  memory_check();
  CHECK_EQ(memory_communal(), 0);
}

static bool is_zero(const uint8_t* p, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (p[i] != 0) return false;
  }
  return true;
}

static void zero_and_aligned(void) {
  for (size_t size = MI_MEDIUM_BLOCK_MAX + 1; size <= LARGEST; size += size / 3) {
    uint8_t* p = mi_malloc(size);
    memset(p, 1, size);
    mi_free(p);
    p = mi_zalloc(size);
    CHECK(is_communal(p) && is_zero(p, size));
    memset(p, 1, size);
    mi_free(p);
    for (size_t align = 16; align <= 1024 * KIB; align *= 4) {
      p = mi_malloc_aligned(size, align);
      CHECK_EQ((uintptr_t)p % align, 0);
      memset(p, 1, size);
      mi_free(p);
      p = mi_malloc_aligned_at(size, align, 8);
      CHECK_EQ(((uintptr_t)p + 8) % align, 0);
      CHECK_CMP(mi_usable_size(p), >=, size);
      memset(p, 1, size);
      mi_free(p);
    }
  }
  memory_check();
}

static void* grow_it(void* p) {
  void* q = mi_realloc(p, 4 * SIZE);
  CHECK(pattern_holds(q, SIZE, 1));
  pattern_fill(q, 4 * SIZE, 2);
  return q;
}

/* Also by a thread that did not take the block. */
static void resized(void) {
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 1);
  void* q = in_thread(grow_it, p);
  CHECK(MI_TRACK || q == p);
  CHECK(is_communal(q));
  memory_check();
  void* behind = mi_malloc(SIZE);
  p = mi_realloc(q, 8 * SIZE);
  CHECK(pattern_holds(p, 4 * SIZE, 2));
  p = mi_realloc(p, 2 * SIZE);
  CHECK(pattern_holds_prefix(p, 2 * SIZE, 4 * SIZE, 2));
  uint8_t* zero = mi_zalloc(WITHIN_UNIT);
  for (size_t size = WITHIN_UNIT; size < 6 * SIZE; size += 10 * KIB) {
    zero = mi_rezalloc(zero, size);
    CHECK(is_zero(zero, size));
  }
  memory_check();
  mi_free(zero);
  mi_free(behind);
  mi_free(p);
  CHECK_EQ(memory_communal(), 0);
}

/* ---- Whose it is ---- */

static bool count_block(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* seen) {
  (void)heap, (void)area;
  if (block != NULL && size > MI_MEDIUM_BLOCK_MAX) ++*(size_t*)seen;
  return true;
}

static size_t large_blocks_seen(void) {
  size_t seen = 0;
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, count_block, &seen));
  return seen;
}

static bool free_block(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                       void* seen) {
  count_block(heap, area, block, size, seen);
  if (block != NULL && size > MI_MEDIUM_BLOCK_MAX) mi_free(block);
  return true;
}

static void* not_mine(void* p) {
  void* other = mi_malloc(SIZE);
  CHECK(!mi_heap_contains_block(mi_heap_get_backing(), p));
  CHECK(!mi_heap_check_owned(mi_heap_get_backing(), p));
  CHECK(mi_check_owned(other));
  CHECK_EQ(large_blocks_seen(), 1);
  mi_free(other);
  return NULL;
}

static void* leave_one(void* arg) {
  (void)arg;
  void* p = mi_malloc(SIZE);
  CHECK(mi_heap_contains_block(mi_heap_get_backing(), p));
  CHECK(mi_heap_check_owned(mi_heap_get_backing(), (char*)p + SIZE - 1));
  CHECK(!mi_heap_check_owned(mi_heap_get_backing(), (char*)p - 1));
  CHECK_EQ(large_blocks_seen(), 1);
  return p;
}

static void owned(void) {
  take_all((void*)SIZE);
  CHECK_EQ(large_blocks_seen(), COUNT);
  void* p = in_thread(leave_one, NULL);
  CHECK(!mi_check_owned(p));
  in_thread(not_mine, p); /* though it may have the heap of the thread before it */
  CHECK_EQ(large_blocks_seen(), COUNT);
  mi_free(p);
  size_t seen = 0;
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, free_block, &seen));
  CHECK_EQ(seen, COUNT);
  CHECK_EQ(memory_communal(), 0);
  memory_check();
}

static bool
free_area(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* seen) {
  count_block(heap, area, block, size, seen);
  if (block == NULL && size > MI_MEDIUM_BLOCK_MAX) mi_free(area->blocks);
  return true;
}

/* A block that the visitor frees before its turn is not shown. */
static void freed_before_its_turn(void) {
  take_all((void*)SIZE);
  size_t seen = 0;
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, free_area, &seen));
  CHECK_EQ(seen, 0);
  CHECK_EQ(memory_communal(), 0);
}

static bool
end_thread(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* p) {
  (void)heap, (void)area, (void)block;
  if (size > MI_MEDIUM_BLOCK_MAX) pthread_exit(p);
  return true;
}

static void* visit_and_end(void* arg) {
  (void)arg;
  void* p = mi_malloc(SIZE);
  mi_heap_visit_blocks(mi_heap_get_backing(), false, end_thread, p);
  return NULL;
}

static void visitor_ends(void) {
  void* p = in_thread(visit_and_end, NULL);
  CHECK(p != NULL && is_communal(p));
  mi_free(p);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
}

static bool fork_and_go_on(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                           size_t size, void* pid) {
  (void)heap, (void)area, (void)block;
  if (size > MI_MEDIUM_BLOCK_MAX && *(pid_t*)pid < 0) *(pid_t*)pid = fork();
  return true;
}

static void wait_for(pid_t pid) {
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

/* The child goes on with the visit, and forks again: there all is as it should be. */
static void visitor_forks(void) {
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 8);
  pid_t pid = -1;
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, fork_and_go_on, &pid));
  if (pid > 0) {
    wait_for(pid);
    mi_free(p);
    return;
  }
  pid_t grandchild = fork();
  if (grandchild > 0) wait_for(grandchild);
  take_all((void*)SIZE);
  free_all((void*)SIZE);
  void* small = mi_malloc(20 * KIB);
  memset(small, 1, 20 * KIB);
  CHECK(pattern_holds(p, SIZE, 8));
  mi_free(small);
  mi_free(p);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  _exit(0);
}

/* Room that is too short for one size is not forgotten for another. */
static void sizes_share_hints(void) {
  enum { MANY = 60 };
  void* many[MANY];
  for (int i = 0; i < MANY; i++) many[i] = mi_malloc(1024 * KIB);
  size_t segments = memory_communal();
  for (int i = 0; i < MANY; i += 3) mi_free(many[i]);
  void* longer = mi_malloc(1700 * KIB);
  for (int i = 0; i < MANY; i += 3) many[i] = mi_malloc(1024 * KIB);
  CHECK_CMP(memory_communal(), <=, segments + 1);
  mi_free(longer);
  for (int i = 0; i < MANY; i++) mi_free(many[i]);
}

static bool free_and_fork(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                          size_t size, void* pid) {
  (void)heap, (void)area;
  if (block == NULL || size < SIZE || *(pid_t*)pid >= 0) return true;
  mi_free(block);
  *(pid_t*)pid = fork();
  return true;
}

/* The visitor frees the only block of its segment, and forks. All that is free is purged at once. */
static void visitor_frees_and_forks(void) {
  long delay = mi_option_get(mi_option_purge_delay);
  mi_purge_all(); /* or what is freed next would wait for what was freed before */
  mi_option_set(mi_option_purge_delay, 0);
  CHECK(is_communal(mi_malloc(SIZE)));
  pid_t pid = -1;
  CHECK(mi_heap_visit_blocks(mi_heap_get_backing(), true, free_and_fork, &pid));
  mi_option_set(mi_option_purge_delay, delay);
  CHECK_EQ(memory_communal(), 0);
  memory_check();
  if (pid == 0) _exit(0);
  wait_for(pid);
}

/* Blocks that come and go take no more segments than they need, in however many chunks. */
static void compact(void) {
  enum { MANY = TEST_VARIANT_CHECKED ? 1500 : 4000, TIMES = 2 * MANY };
  static void* many[MANY];
  for (size_t i = 0; i < MANY; i++) many[i] = mi_malloc((size_t)(70 + i * 37 % 200) * KIB);
  size_t segments = memory_communal();
  for (size_t i = 0; i < TIMES / TEST_SLOWNESS; i++) {
    size_t k = i * 7919 % MANY;
    mi_free(many[k]);
    many[k] = mi_malloc((size_t)(70 + (i + k) * 61 % 200) * KIB);
  }
  CHECK_CMP(memory_communal(), <=, segments + segments / 6);
  for (size_t i = 0; i < MANY; i++) mi_free(many[i]);
  memory_check();
  CHECK_EQ(memory_communal(), 0);
}

static void* of_subproc(void* id) {
  mi_subproc_add_current_thread(id);
  void* p = mi_malloc(SIZE);
  CHECK(!is_communal(p));
  mi_free(p);
  return NULL;
}

static void not_for_others(void) {
  mi_heap_t* heap = mi_heap_new();
  void* p = mi_heap_malloc(heap, SIZE);
  CHECK(!is_communal(p));
  void* q = mi_malloc(SIZE);
  CHECK(is_communal(q));
  CHECK(mi_heap_contains_block(mi_heap_get_backing(), q) && !mi_heap_contains_block(heap, q));
  q = mi_heap_realloc(heap, q, SIZE + 1);
  CHECK(!is_communal(q) && mi_heap_contains_block(heap, q));
  mi_heap_destroy(heap);
  mi_subproc_id_t subproc = mi_subproc_new();
  in_thread(of_subproc, subproc);
  mi_subproc_delete(subproc);
  mi_option_enable(mi_option_visit_abandoned);
  p = mi_malloc(SIZE);
  CHECK(!is_communal(p));
  mi_option_disable(mi_option_visit_abandoned);
  mi_free(p);
  memory_check();
}

/* ---- Fork ---- */

static _Atomic(bool) over;

static void* churn(void* arg) {
  while (!atomic_load(&over)) mi_free(mi_realloc(mi_malloc(10 * SIZE + rand() % SIZE), SIZE));
  return arg;
}

/* What the other thread was changing at that moment is not used again. */
_Noreturn static void child(void* p) {
  CHECK(pattern_holds(p, SIZE, 7));
  take_all((void*)SIZE);
  free_all((void*)SIZE);
  mi_free(p);
  size_t segments = memory_communal();
  for (size_t i = 0; i < COUNT / 4; i++) mi_malloc(1100 * KIB);
  CHECK_CMP(memory_communal(), <=, segments + COUNT / 12 + 1); /* three in each */
  mi_collect(true);
  heaps_check();
  _exit(0);
}

static void forked(void) {
  pthread_t thread;
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 7);
  CHECK_EQ(pthread_create(&thread, NULL, churn, NULL), 0);
  mi_rare_set(mi_rare_race, 2);
  for (int i = 0; i < 24 / TEST_SLOWNESS; i++) {
    pid_t pid = fork();
    if (pid == 0) child(p);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  mi_rare_set(mi_rare_race, 0);
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  mi_free(p);
}

int main(void) {
  learn();
  shared(SIZE);
  shared(WITHIN_UNIT);
  zero_and_aligned();
  resized();
  owned();
  freed_before_its_turn();
  visitor_ends();
  visitor_forks();
  visitor_frees_and_forks();
  sizes_share_hints();
  compact();
  not_for_others();
  forked();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
