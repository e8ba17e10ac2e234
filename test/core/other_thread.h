/* A thread that has a heap, and does nothing from other_thread_begin to other_thread_end: one of each in a
   program. */
#ifndef MI_TEST_OTHER_THREAD_H
#define MI_TEST_OTHER_THREAD_H

#include <pthread.h>

#include "check.h"
#include "miheap.h"

static pthread_t other_thread;
static pthread_barrier_t other_thread_turn;

static void* other_thread_run(void* arg) {
  void* p = mi_malloc(100);
  pthread_barrier_wait(&other_thread_turn);
  pthread_barrier_wait(&other_thread_turn);
  mi_free(p);
  return arg;
}

/* Returns when the thread has its heap. */
static void other_thread_begin(void) {
  pthread_barrier_init(&other_thread_turn, NULL, 2);
  CHECK_EQ(pthread_create(&other_thread, NULL, other_thread_run, NULL), 0);
  pthread_barrier_wait(&other_thread_turn);
}

static void other_thread_end(void) {
  pthread_barrier_wait(&other_thread_turn);
  pthread_join(other_thread, NULL);
}

#endif
