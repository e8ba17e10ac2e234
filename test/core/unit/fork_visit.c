/* A visitor of abandoned blocks frees one that is a mapping of its own, and forks while it still holds it: the child
   counts that memory until the visitor lets go of it, and not any longer. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "other_thread.h"

enum { MIB = 1 << 20, SIZE = 40 * MIB, ALIGNMENT = 8 * MIB };

static void* block;
static pid_t child = -1;

static void* allocate(void* arg) {
  block = mi_malloc_aligned(SIZE, ALIGNMENT);
  CHECK(block != NULL);
  return arg;
}

static bool
free_and_fork(const mi_heap_t* heap, const mi_heap_area_t* area, void* p, size_t size, void* arg) {
  (void)heap, (void)area, (void)arg;
  if (p == NULL || size < SIZE || child != -1) return true;
  mi_free(block);
  child = fork();
  CHECK_CMP(child, >=, 0);
  CHECK_CMP(memory_gauges().committed, >=, SIZE);
  return true;
}

int main(void) {
  pthread_t thread;
  mi_option_set(mi_option_visit_abandoned, 1);
  CHECK_EQ(pthread_create(&thread, NULL, allocate, NULL), 0);
  pthread_join(thread, NULL);
  other_thread_begin(); /* a child without other threads would count nothing anew */
  CHECK(mi_abandoned_visit_blocks(NULL, -1, true, free_and_fork, NULL));
  CHECK_CMP(child, !=, -1);
  mi_collect(true);
  CHECK_CMP(memory_gauges().committed, >=, 0);
  CHECK_CMP(memory_gauges().committed, <, SIZE);
  if (child == 0) _exit(0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  other_thread_end();
  return 0;
}
