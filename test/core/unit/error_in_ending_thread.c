/* What another thread did wrong with a block of a thread that ends is noticed, and told, as it ends: in the thread, by
   mi_thread_done or the end itself. The error function may allocate, and mi_thread_done does nothing in it. */
#include <pthread.h>

#include "check.h"
#include "memory.h"

static _Atomic(int) errors;

static void count(int err, void* arg) {
  (void)arg;
  CHECK_EQ(err, EFAULT);
  errors++;
  void* p = mi_malloc(100);
  mi_thread_done();
  CHECK(mi_check_owned(p));
  mi_free(p);
}

static void* free_twice(void* p) {
  mi_free(p);
  mi_free(p);
  return NULL;
}

static void suffer(void) {
  void* p = mi_malloc(48);
  CHECK(mi_malloc(48) != NULL); /* the page stays */
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_twice, p), 0);
  pthread_join(thread, NULL);
}

static void* end_by_call(void* arg) {
  suffer();
  CHECK_EQ(errors, 0);
  mi_thread_done();
  CHECK_EQ(errors, 1);
  return arg;
}

static void* reduce(void* arg) {
  suffer();
  mi_collect_reduce(0);
  CHECK_EQ(errors, 1);
  return arg;
}

static void* end(void* arg) {
  suffer();
  CHECK_EQ(errors, 0);
  return arg;
}

int main(void) {
  static void* (*const ways[])(void*) = {end_by_call, reduce, end};
  mi_option_set(mi_option_show_errors, 0);
  mi_register_error(count, NULL);
  for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
    pthread_t thread;
    errors = 0;
    CHECK_EQ(pthread_create(&thread, NULL, ways[i], NULL), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(errors, 1);
  }
  CHECK_EQ(memory_gauges().threads, 0); /* this one has not allocated */
  return 0;
}
