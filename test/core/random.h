/* Random numbers that can be replayed: the seed is printed, and MIHEAP_TEST_SEED sets it. */
#ifndef MI_TEST_RANDOM_H
#define MI_TEST_RANDOM_H

#include <time.h>

#include "check.h"

typedef struct random_s {
  uint64_t state;
} random_t;

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

static inline bool random_one_in(random_t* r, size_t n) { return random_below(r, n) == 0; }

static inline uint64_t test_seed(void) {
  const char* text = getenv("MIHEAP_TEST_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seed =
      text != NULL ? strtoull(text, NULL, 10) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec;
  printf("MIHEAP_TEST_SEED=%" PRIu64 "\n", seed);
  fflush(stdout);
  return seed;
}

/* Sizes as programs have them: mostly small, each doubling as likely as the next; now and then large,
   rarely huge. */
static inline size_t random_size(random_t* r) {
  size_t kind = random_below(r, 1000);
  unsigned bits = 4 + (unsigned)random_below(r, 7);
  if (kind >= 900) bits = 11 + (unsigned)random_below(r, 6);
  if (kind >= 985) bits = 17 + (unsigned)random_below(r, 5);
  if (kind >= 997) bits = 22 + (unsigned)random_below(r, 2);
  return random_below(r, (size_t)1 << bits);
}

#endif
