/* Runs of slots: huge blocks in chunks use memory again, grow where there is room, and move out where there is
   none. */
#include "segment/run.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* A run that needed a new chunk does not hide what is free in those before. */
static void beside_longer_ones(void) {
  mi_collect(true);
  enum { COUNT = 4 };
  void* longer[COUNT]; /* five slots of eight */
  void* shorter[COUNT];
  for (int i = 0; i < COUNT; i++) longer[i] = mi_malloc(17 * MIB);
  int64_t reserved = memory_gauges().reserved;
  for (int i = 0; i < COUNT; i++) shorter[i] = mi_malloc(11 * MIB);
  CHECK_CMP(memory_gauges().reserved, <=, reserved);
  for (int i = 0; i < COUNT; i++) {
    mi_free(longer[i]);
    mi_free(shorter[i]);
  }
}

/* A chunk that was mapped anew is not behind those where the search begins: what the first run leaves there is of use
   to the next. */
static void in_chunks_mapped_anew(void) {
  enum { LONG = 6, SHORT = 5, NEW = 4 };
  void* runs[LONG]; /* seven slots of eight */
  void* large[SHORT];
  void* fit[NEW];
  mi_collect(true);
  for (int i = 0; i < LONG; i++) runs[i] = mi_malloc(27 * MIB);
  for (int i = 0; i < SHORT; i++) large[i] = mi_malloc(2 * MIB);
  for (int k = 1; k <= 2; k++) {
    for (int i = 0; i < SHORT; i++) {
      if (((uintptr_t)large[i] ^ (uintptr_t)runs[k]) >= MI_CHUNK_SIZE) continue;
      mi_free(large[i]);
      large[i] = NULL;
    }
    mi_free(runs[k]);
    runs[k] = NULL;
  }
  mi_collect(true);
  mi_free(large[SHORT - 1]);
  large[SHORT - 1] = mi_malloc(2 * MIB);
  int64_t reserved = memory_gauges().reserved;
  for (int i = 0; i < NEW; i++) fit[i] = mi_malloc(11 * MIB);
  CHECK_CMP(memory_gauges().reserved - reserved, <=, (int64_t)(2 * MI_CHUNK_SIZE));
  for (int i = 0; i < NEW; i++) mi_free(fit[i]);
  for (int i = 0; i < LONG; i++) mi_free(runs[i]);
  for (int i = 0; i < SHORT; i++) mi_free(large[i]);
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

/* A chunk does not fit, the block does: it is a mapping, and nothing else is taken. */
static void no_room_for_a_chunk(void) {
  mi_collect(true);
  int64_t reserved = memory_gauges().reserved;
  mi_rare_set(mi_rare_slot, 1);
  uint8_t* p = mi_malloc(31 * MIB);
  mi_rare_set(mi_rare_slot, 0);
  CHECK(!is_in_run(p));
  CHECK_CMP(memory_gauges().reserved - reserved, <, (int64_t)(32 * MIB));
  memory_check();
  mi_free(p);
}

/* Of a run that is more than one mapping to the system, all goes along when it grows. */
static void several_mappings(void) {
  mi_collect(true);
  uint8_t* p = mi_malloc_aligned(20 * MIB, MI_UNIT_SIZE);
  pattern_fill(p, 20 * MIB, 5);
  CHECK_EQ(madvise(p + 4 * MIB, MIB, MADV_DONTDUMP), 0);
  uint8_t* grown = mi_realloc(p, 40 * MIB);
  CHECK(pattern_holds_prefix(grown, 20 * MIB, 20 * MIB, 5));
  memory_check();
  mi_free(grown);
}

static void* wait_for_end(void* arg) {
  void* p = mi_malloc(100);
  pthread_barrier_wait(arg);
  pthread_barrier_wait(arg);
  mi_free(p);
  return NULL;
}

static void fork_with_protected(uint8_t* block, size_t size) {
  CHECK_EQ(mprotect(block, size, PROT_NONE), 0);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) _exit(0);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_EQ(mprotect(block, size, PROT_READ | PROT_WRITE), 0);
  mi_free(block);
}

/* A forked child looks for the segments of the threads that it does not have, and not into blocks: nobody may be
   able to read these. */
static void fork_beside_protected(void) {
  pthread_t thread;
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, 2);
  CHECK_EQ(pthread_create(&thread, NULL, wait_for_end, &barrier), 0);
  pthread_barrier_wait(&barrier);
  fork_with_protected(mi_malloc_aligned(16 * MIB, MI_UNIT_SIZE), 16 * MIB);
  mi_arena_id_t arena;
  CHECK_EQ(mi_reserve_os_memory_ex(128 * MIB, true, false, true, &arena), 0);
  mi_heap_t* heap = mi_heap_new_in_arena(arena);
  fork_with_protected(mi_heap_malloc_aligned(heap, 80 * MIB, MI_UNIT_SIZE), 80 * MIB);
  mi_heap_delete(heap);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
}

int main(void) {
  places();
  beside_longer_ones();
  in_chunks_mapped_anew();
  reuse();
  grows_in_place();
  moves_out();
  growing_fails();
  abandoned();
  no_room_for_a_chunk();
  several_mappings();
  fork_beside_protected();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  return 0;
}
