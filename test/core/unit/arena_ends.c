/* What remains in an exclusive arena when heaps and threads end, and who may have it. */
#include <pthread.h>
#include <sys/wait.h>

#include "arena.h"
#include "memory.h"

enum { SIZE = 32768 };

static area_t area;

static size_t count_until_full(void) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  size_t count = area_fill(area, heap, SIZE).count;
  mi_heap_destroy(heap);
  return count;
}

/* Blocks of a deleted heap live on, and are freed one by one; then all is there again. */
static void deleted(size_t all) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  fill_t fill = area_fill(area, heap, SIZE);
  mi_heap_delete(heap);
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  memory_check();
  CHECK_EQ(fill.count, all);
  heap = mi_heap_new_in_arena(area.id);
  CHECK_PTR(mi_heap_malloc(heap, SIZE), ==, NULL);
  /* Half of the blocks go, and a heap of the arena finds their room, but no other heap does. */
  fill_free(&fill, 2);
  void* outside = mi_malloc(SIZE);
  CHECK(!area_has(area, outside, SIZE));
  mi_free(outside);
  fill_t beside = area_fill(area, heap, SIZE);
  CHECK_CMP(beside.count, >=, all / 2 - 64);
  memory_check();
  /* The older blocks survive the heap that took their pages over. */
  mi_heap_destroy(heap);
  fill_free(&fill, 1);
  memory_check();
}

static void* ends_with_blocks(void* arg) {
  fill_t* fill = arg;
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  *fill = area_fill(area, heap, SIZE);
  return NULL;
}

static fill_t left_by_a_thread(void) {
  fill_t fill;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, ends_with_blocks, &fill), 0);
  pthread_join(thread, NULL);
  return fill;
}

static void thread_ended(size_t all) {
  fill_t fill = left_by_a_thread();
  CHECK_EQ(fill.count, all);
  memory_check();
  int64_t abandoned = memory_gauges().abandoned;
  CHECK_CMP(abandoned, >, 0);
  mi_collect(true); /* adopts what is not in an exclusive arena */
  CHECK_EQ(memory_gauges().abandoned, abandoned);
  fill_free(&fill, 1);
  mi_collect(true);
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_EQ(count_until_full(), all);
  /* The same without a collect: the next heap finds it when it needs it. */
  fill = left_by_a_thread();
  fill_free(&fill, 1);
  CHECK_EQ(count_until_full(), all);
}

/* A heap that is never destroyed takes over what others left, and frees bring it memory too. */
static void adopted(size_t all) {
  fill_t fill = left_by_a_thread();
  mi_heap_t* heap = mi_heap_new_ex(0, false, area.id);
  fill_free(&fill, 2); /* the first of them in each segment adopts it */
  CHECK_EQ(memory_gauges().abandoned, 0);
  fill_t beside = area_fill(area, heap, SIZE);
  CHECK_CMP(beside.count, >=, all / 2 - 1);
  mi_heap_destroy(heap); /* it is only deleted */
  fill_free(&fill, 1);
  fill_free(&beside, 1);
  CHECK_EQ(count_until_full(), all);
  memory_check();
}

static void huge_block_left(void) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  uint8_t* huge = mi_heap_malloc(heap, 20 * MIB);
  mi_heap_delete(heap);
  heap = mi_heap_new_in_arena(area.id);
  CHECK_PTR(mi_heap_malloc(heap, 20 * MIB), ==, NULL);
  memset(huge, 1, 20 * MIB);
  mi_free(huge);
  huge = mi_heap_malloc(heap, 20 * MIB);
  CHECK(huge != NULL);
  mi_heap_destroy(heap);
}

/* The child has the heap, and its arena is its own. */
static void forked(size_t all) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  fill_t fill = area_fill(area, heap, SIZE);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    alarm(60);
    fill_free(&fill, 1);
    fill_t again = area_fill(area, heap, SIZE);
    CHECK_CMP(again.count, >=, all - 1);
    mi_heap_destroy(heap);
    CHECK_EQ(count_until_full(), all);
    memory_check();
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  fill_free(&fill, 1);
  mi_heap_destroy(heap);
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 0);
  area = area_reserve(36 * MIB, true);
  size_t all = count_until_full();
  CHECK_EQ(count_until_full(), all);
  thread_ended(all);
  adopted(all);
  huge_block_left();
  forked(all);
  CHECK_EQ(count_until_full(), all);
  deleted(all);
  return 0;
}
