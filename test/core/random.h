/* Random numbers that can be replayed: the seed is printed, and MIHEAP_TEST_SEED sets it. Where a
   test has threads, the numbers of each follow from the seed; what the scheduler does is not
   replayed. */
#ifndef MI_TEST_RANDOM_H
#define MI_TEST_RANDOM_H

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

typedef struct random_s {
  uint64_t state;
} random_t;

/* splitmix64: any 64 bits. */
static inline uint64_t random_next(random_t* r) {
  uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* From 0 to below - 1. */
static inline size_t random_below(random_t* r, size_t below) {
  return (size_t)(random_next(r) % below);
}

/* True once in n times. */
static inline bool random_one_in(random_t* r, size_t n) { return random_below(r, n) == 0; }

/* The number in the environment variable `name`, for a run that is longer or shaped otherwise;
   `usual` if it is not set. */
static inline uint64_t test_number(const char* name, uint64_t usual) {
  const char* text = getenv(name);
  if (text == NULL) return usual;
  char* end;
  uint64_t number = strtoull(text, &end, 10);
  CHECK(end != text && *end == 0);
  return number;
}

static char seed_line[64];

static inline void print_seed_again(int signal) {
  (void)signal;
  if (write(STDERR_FILENO, seed_line, strlen(seed_line)) < 0) _exit(1);
}

/* Returns the seed and prints it. It is printed again if the process dies of a bug, which may be
   far down in a log. */
static inline uint64_t test_seed(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seed = test_number("MIHEAP_TEST_SEED", (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec);
  snprintf(seed_line, sizeof(seed_line), "MIHEAP_TEST_SEED=%" PRIu64 "\n", seed);
  fputs(seed_line, stdout);
  fflush(stdout);
  /* The handler runs once; then the signal has its usual effect. Sanitizers handle all but SIGABRT
     themselves. */
  struct sigaction action = {.sa_handler = print_seed_again, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGABRT, &action, NULL);
  if (TEST_SLOWNESS == 1) sigaction(SIGSEGV, &action, NULL);
  return seed;
}

/* A size as programs ask for: mostly small, each doubling as likely as the next; now and then
   large, rarely huge. */
static inline size_t random_size(random_t* r) {
  size_t kind = random_below(r, 1000);
  unsigned bits = 4 + (unsigned)random_below(r, 7);
  if (kind >= 900) bits = 11 + (unsigned)random_below(r, 6);
  if (kind >= 985) bits = 17 + (unsigned)random_below(r, 5);
  if (kind >= 997) bits = 22 + (unsigned)random_below(r, 2);
  return random_below(r, (size_t)1 << bits);
}

#endif
