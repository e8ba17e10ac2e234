/* Threads free nearly all that they had and fall asleep, and the process forks: the child has what is alive, and none of
   the pages that those threads kept. So it goes through a chain of children that each have such threads. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/sanitizer.h"
#include "pattern.h"
#include "random.h"
#include "segment/purge.h"

enum { THREADS = 4, GENERATIONS = 8, BLOCKS = 600, KIB = 1024, ALIVE_SIZE = 3000 };

static void* alive[GENERATIONS][THREADS];
static unsigned generation;
static pthread_barrier_t asleep;

static void* sleeps(void* arg) {
  size_t index = (size_t)arg;
  random_t random = {generation * THREADS + index};
  void* blocks[BLOCKS];
  if (generation % 2 == 0) alive[generation][index] = mi_malloc(ALIVE_SIZE);
  for (int i = 0; i < BLOCKS; i++) {
    /* Of all kinds of pages; many of one size, too, so that a magazine has some. */
    size_t size = i % 4 == 0 ? 4000 : (size_t)8 << random_below(&random, 15);
    blocks[i] = mi_malloc(size);
    memset(blocks[i], 1, size);
  }
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  mi_free(mi_malloc(200 * KIB));
  if (generation % 2 == 0) pattern_fill(alive[generation][index], ALIVE_SIZE, index);
  pthread_barrier_wait(&asleep);
  for (;;) pause();
  return arg;
}

static void start_sleepers(void) {
  pthread_barrier_init(&asleep, NULL, THREADS + 1);
  for (size_t i = 0; i < THREADS; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, sleeps, (void*)i), 0);
  }
  pthread_barrier_wait(&asleep);
}

/* The child's heap is empty. Each live block of a thread is in a page of its own. */
static void check_what_is_left(unsigned live_blocks) {
  mi_collect(true);
  mi_purge_all();
  heaps_check();
  memory_check();
  memory_check_pages();
  mi_stats_t stats;
  mi_stats_get(sizeof(stats), &stats);
  CHECK_EQ(stats.pages.current, live_blocks);
  CHECK_CMP(memory_gauges().segments, <=, live_blocks);
  CHECK_CMP(memory_gauges().committed, <=, (int64_t)live_blocks * 128 * KIB);
  /* What the threads kept of long blocks takes no room here. */
  mi_free(mi_malloc(128 * KIB));
  CHECK_EQ(mi_heap_get_backing()->single_count, 1);
  mi_collect(true);
}

static void free_those_of(unsigned of) {
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pattern_holds(alive[of][i], ALIVE_SIZE, i));
    mi_free(alive[of][i]);
  }
}

static void live(void) {
  start_sleepers();
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid > 0) {
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  alarm(30);
  check_what_is_left((generation / 2 + 1) * THREADS);
}

int main(void) {
#if MI_OS_TSAN /* it cannot follow threads that start in a child of a threaded process */
  (void)live, (void)free_those_of;
#else
  for (generation = 0; generation < GENERATIONS; generation++) live();
  for (generation = 0; generation < GENERATIONS; generation += 2) free_those_of(generation);
  heaps_check();
#endif
  return 0;
}
