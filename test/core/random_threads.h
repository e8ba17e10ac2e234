/* Threads that do random steps. */
#ifndef MI_TEST_RANDOM_THREADS_H
#define MI_TEST_RANDOM_THREADS_H

#include <pthread.h>

#include "random.h"

typedef struct random_walk_s {
  pthread_t thread;
  random_t rng;
  int steps;
  void (*step)(random_t* rng);
} random_walk_t;

static inline void* random_walk(void* arg) {
  random_walk_t* walk = arg;
  for (int i = 0; i < walk->steps; i++) walk->step(&walk->rng);
  return NULL;
}

/* Calls `step` so many times in each of `count` threads, at most 16, and waits for them. The
   numbers of the first follow from the seed, those of the others from the seeds after it. */
static inline void random_threads(int count, int steps, uint64_t seed, void (*step)(random_t*)) {
  random_walk_t walks[16];
  CHECK_CMP(count, <=, 16);
  for (int i = 0; i < count; i++) {
    walks[i] = (random_walk_t){.rng = {seed + (uint64_t)i}, .steps = steps, .step = step};
    CHECK_EQ(pthread_create(&walks[i].thread, NULL, random_walk, &walks[i]), 0);
  }
  for (int i = 0; i < count; i++) pthread_join(walks[i].thread, NULL);
}

#endif
