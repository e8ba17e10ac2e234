/* A program with a clock of its own, as libfaketime is one: it uses thread-local memory, locks and allocates. The
   allocator asks another one: it needs the time in the middle of free, and in a thread that has no such memory. */
#include <pthread.h>
#include <stdatomic.h>

#include "ours.h"
#include "proc.h"

enum { COUNT = 128, SIZE = 256 << 10 };

/* Whoever comes a second time waits for ever. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local long asked;
static _Atomic(long) asked_in_all;

int clock_gettime(clockid_t clock, struct timespec* time) {
  asked++;
  asked_in_all++;
  pthread_mutex_lock(&lock);
  free(opaque(malloc(100000)));
  pthread_mutex_unlock(&lock);
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int main(void) {
  static void* blocks[COUNT];
  size_t start = proc_resident();
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = opaque(malloc(SIZE));
    CHECK(is_ours(blocks[i]));
    memset(blocks[i], 1, SIZE);
  }
  for (int i = 0; i < COUNT; i++) free(blocks[i]);
  size_t most = start + COUNT * (size_t)SIZE / 4;
  for (int ms = 0; ms < 5000 && proc_resident() > most; ms += 20) sleep_ms(20);
  CHECK_CMP(proc_resident(), <=, most);
  CHECK_EQ(asked_in_all, 0);
  struct timespec time;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  CHECK_EQ(asked_in_all, 1);
  return 0;
}
