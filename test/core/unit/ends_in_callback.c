/* A thread that a callback of ours ends, and that allocates until its very end, leaves nothing. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/sanitizer.h"

/* As many as the C library offers; ThreadSanitizer takes its leave in the last one. */
enum { THREADS = 20, ROUNDS = MI_OS_TSAN ? 2 : 4 };

static pthread_key_t key;
static _Thread_local int rounds;
static _Thread_local bool armed;

static void allocate(void* value) {
  mi_free(mi_malloc(100000));
  mi_free(mi_malloc(20));
  if (++rounds < ROUNDS) CHECK_EQ(pthread_setspecific(key, value), 0);
}

static void end(bool force, unsigned long long heartbeat, void* arg) {
  (void)force, (void)heartbeat, (void)arg;
  if (!armed) return;
  armed = false;
  pthread_exit(NULL);
}

static void* run(void* arg) {
  CHECK_EQ(pthread_setspecific(key, &key), 0);
  armed = true;
  for (;;) mi_free(mi_malloc(50000));
  return arg;
}

int main(void) {
  mi_free(mi_malloc(1));
  CHECK_EQ(pthread_key_create(&key, allocate), 0);
  mi_register_deferred_free(end, NULL);
  mi_collect(true);
  memory_t before = memory_gauges();
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, run, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
  }
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, before.segments);
  return 0;
}
