/* A threaded parent forks while its threads allocate. The child has only the forking thread; it allocates,
   frees blocks of threads that it does not have, starts threads of its own, and ends. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/sanitizer.h"
#include "patterned.h"
#include "segment/purger.h"

enum { THREADS = 2, FORKS = 32, PLACES = 64, STEPS = 300 };

static _Atomic(patterned_t*) shared[PLACES];
static _Atomic(int) started;
static _Atomic(bool) stop;

static patterned_t* make(random_t* rng) {
  return patterned_make(rng, sizeof(patterned_t) + random_size(rng));
}

static void exchange_some(random_t* rng, int steps) {
  for (int i = 0; i < steps; i++) {
    patterned_t* b = random_one_in(rng, 2) ? make(rng) : NULL;
    patterned_unmake(atomic_exchange(&shared[random_below(rng, PLACES)], b));
  }
}

static void* churn(void* arg) {
  random_t rng = {*(uint64_t*)arg};
  atomic_fetch_add(&started, 1);
  while (!atomic_load(&stop)) exchange_some(&rng, 100);
  return NULL;
}

static void* thread_of_child(void* arg) {
  exchange_some(arg, STEPS);
  return NULL;
}

_Noreturn static void child(uint64_t seed) {
  random_t rng = {seed};
  alarm(60);
  exchange_some(&rng, STEPS);
#if !MI_OS_TSAN /* it cannot follow threads that start in a child of a threaded process */
  pthread_t threads[THREADS];
  random_t rngs[THREADS] = {{seed + 1}, {seed + 2}};
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, thread_of_child, &rngs[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
#else
  (void)thread_of_child;
#endif
  for (int i = 0; i < PLACES; i++) patterned_unmake(atomic_exchange(&shared[i], NULL));
  mi_collect(true);
  heaps_check();
  _exit(0);
}

int main(void) {
  pthread_t threads[THREADS];
  uint64_t seeds[THREADS];
  uint64_t seed = test_seed();
  random_t rng = {seed};
  mi_option_set(mi_option_purge_delay, 1);
  for (int i = 0; i < THREADS; i++) {
    seeds[i] = random_next(&rng);
    CHECK_EQ(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
  }
  /* Under AddressSanitizer a thread that begins holds locks that no fork knows of. */
  while (atomic_load(&started) < THREADS) sched_yield();
  for (int i = 0; i < FORKS / (TEST_SLOWNESS > 1 ? 4 : 1); i++) {
    exchange_some(&rng, 50);
    pid_t pid = fork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) child(seed + (uint64_t)i);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < PLACES; i++) patterned_unmake(atomic_exchange(&shared[i], NULL));
  mi_purger_end(); /* units that it is purging are nowhere */
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
