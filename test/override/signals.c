/* Signals that arrive in the middle of malloc and free change nothing. A handler may also allocate where the
   thread that it interrupts was not in the allocator just then. (Where it was, C forbids it, and so do we.) */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"
#include "random.h"

enum { THREADS = 2, PLACES = 256, MILLISECONDS = 1200 };

static _Atomic(long) interrupts;
static _Atomic(bool) stop;
static bool handler_allocates;
/* Also while the C library may allocate: as a thread begins and ends. */
static _Thread_local volatile sig_atomic_t inside = 1;

static void allocate_in_handler(void) {
  int saved = errno;
  for (size_t size = 8; size < 3000; size *= 3) {
    unsigned char* p = malloc(size);
    CHECK(p != NULL);
    pattern_fill(p, size, size);
    CHECK(pattern_holds(p, size, size));
    free(p);
  }
  errno = saved;
}

static void handler(int number) {
  (void)number;
  atomic_fetch_add_explicit(&interrupts, 1, memory_order_relaxed);
  if (handler_allocates && !inside) allocate_in_handler();
}

static void exchange(unsigned char** place, size_t* held, size_t size, uint64_t seed) {
  if (*place != NULL) CHECK(pattern_holds(*place, *held, seed));
  inside = 1;
  free(*place);
  *place = malloc(size);
  inside = 0;
  *held = size;
  CHECK(*place != NULL);
  pattern_fill(*place, size, seed);
}

static void* work(void* arg) {
  random_t rng = {(uint64_t)(uintptr_t)arg};
  unsigned char* blocks[PLACES] = {0};
  size_t sizes[PLACES];
  inside = 0;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    size_t i = random_below(&rng, PLACES);
    exchange(&blocks[i], &sizes[i], random_size(&rng) % 20000, i);
  }
  inside = 1;
  for (size_t i = 0; i < PLACES; i++) free(blocks[i]);
  return NULL;
}

static void storm(void) {
  struct itimerval every = {{0, 100}, {0, 100}};
  pthread_t threads[THREADS];
  atomic_store(&stop, false);
  atomic_store(&interrupts, 0);
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, work, (void*)(uintptr_t)(i + 1)), 0);
  }
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    for (int i = 0; i < THREADS; i++) pthread_kill(threads[i], SIGUSR1);
    for (volatile int pause = 0; pause < 3000; pause++) {
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 <
           MILLISECONDS);
  struct itimerval never = {{0, 0}, {0, 0}};
  CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK_CMP(atomic_load(&interrupts), >, 100);
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask); /* one handler at a time */
  CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  storm();
  handler_allocates = true;
  storm();
  return 0;
}
