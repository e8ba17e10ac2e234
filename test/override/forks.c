/* A thousand forks, or TEST_FORKS, while other threads allocate; from main and from another thread; with fork
   handlers that allocate and free, and handlers that are added meanwhile. Every child allocates, frees blocks of
   threads that it does not have, and ends as a program does. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"
#include "random.h"

enum { THREADS = 2, FORKS = 1000, PLACES = 64, HANDLERS = 8 };

typedef struct block_s {
  size_t size;
  uint64_t seed;
} block_t;

static _Atomic(block_t*) shared[PLACES];
static _Atomic(bool) stop;
static _Atomic(int) handlers_run;
static int forks;

static void exchange(random_t* rng) {
  block_t* b = NULL;
  if (random_one_in(rng, 2)) {
    size_t size = sizeof(block_t) + random_size(rng) % 50000;
    b = malloc(size);
    CHECK(b != NULL);
    *b = (block_t){size, random_next(rng)};
    pattern_fill(b + 1, size - sizeof(*b), b->seed);
  }
  b = atomic_exchange(&shared[random_below(rng, PLACES)], b);
  if (b != NULL) CHECK(pattern_holds(b + 1, b->size - sizeof(*b), b->seed));
  free(b);
}

static void* churn(void* arg) {
  random_t rng = {(uintptr_t)arg};
  while (!atomic_load(&stop)) exchange(&rng);
  return NULL;
}

/* pthread_atfork allocates. */
static void in_handler(void) {
  random_t rng = {(uint64_t)atomic_fetch_add(&handlers_run, 1)};
  for (int i = 0; i < 3; i++) exchange(&rng);
}

static void* add_handlers(void* arg) {
  for (int i = 0; i < HANDLERS; i++) {
    CHECK_EQ(pthread_atfork(in_handler, in_handler, in_handler), 0);
    usleep(1000);
  }
  return arg;
}

_Noreturn static void child(uint64_t seed) {
  random_t rng = {seed};
  alarm(60); /* a child that waits for ever would otherwise go unnoticed */
  for (int i = 0; i < 20; i++) exchange(&rng);
  for (int i = 0; i < PLACES; i++) free(atomic_exchange(&shared[i], NULL));
  free(opaque(malloc(3000000)));
  if (seed % 2 == 0) _exit(0);
  exit(0);
}

static void fork_some(random_t* rng, int count) {
  for (int i = 0; i < count; i++) {
    exchange(rng);
    pid_t pid = fork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) child((uint64_t)i);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
}

static void* fork_in_thread(void* arg) {
  random_t rng = {*(uint64_t*)arg};
  fork_some(&rng, forks / 2);
  return NULL;
}

/* Before miheap's own handler, so that its child runs first. */
__attribute__((constructor(101))) static void first_handler(void) {
  pthread_atfork(in_handler, in_handler, in_handler);
}

int main(void) {
  pthread_t threads[THREADS];
  pthread_t adder, forker;
  random_t rng = {test_seed()};
  uint64_t seed = random_next(&rng);
  forks = (int)test_number("TEST_FORKS", FORKS);
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, churn, (void*)(i + 1)), 0);
  }
  CHECK_EQ(pthread_create(&adder, NULL, add_handlers, NULL), 0);
  CHECK_EQ(pthread_create(&forker, NULL, fork_in_thread, &seed), 0);
  fork_some(&rng, forks / 2);
  pthread_join(forker, NULL);
  pthread_join(adder, NULL);
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < PLACES; i++) free(atomic_exchange(&shared[i], NULL));
  CHECK_CMP(atomic_load(&handlers_run), >=, 2 * forks);
  return 0;
}
