/* A process forks while another thread makes holes in pages of the first one, and takes back those that the first one's
   frees left in its own. The child can free and allocate there, and finds what lives as it was. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "patterned.h"
#include "segment/purger.h"
#include "segment/segment.h"

enum { PLACES = 300, FORKS = 40 / TEST_SLOWNESS, STEPS = 200, MINE = 400 };

static _Atomic(patterned_t*) places[PLACES];
static _Atomic(bool) has_begun, over;
static _Atomic(size_t) holes; /* that were seen */

static patterned_t* make(random_t* rng) {
  static const size_t sizes[] = {1280, 2048, 2048, 5120, 8192, 20480, 32768};
  return patterned_make(rng, sizes[random_below(rng, sizeof(sizes) / sizeof(*sizes))]);
}

/* Frees a run of places, or fills it. */
static void step(random_t* rng, bool fills) {
  size_t from = random_below(rng, PLACES);
  for (size_t i = from; i < from + 30 && i < PLACES; i++) {
    patterned_unmake(atomic_exchange(&places[i], fills ? make(rng) : NULL));
  }
}

static void look_for_holes(void) {
  for (size_t i = 0; i < PLACES; i++) {
    /* Its segment stays as long as this thread frees nothing. */
    patterned_t* b = atomic_load(&places[i]);
    if (b != NULL) atomic_fetch_add(&holes, mi_page_hole_count(mi_page_of(b)));
  }
}

/* A thread without a heap, which only frees and purges. */
static void* purge(void* seed) {
  random_t rng = {*(uint64_t*)seed};
  atomic_store(&has_begun, true);
  while (!atomic_load(&over)) {
    step(&rng, false);
    mi_scavenge_all();
    look_for_holes();
  }
  return NULL;
}

/* A thread whose pages get holes, too, and which fills them. */
static void* live(void* seed) {
  random_t rng = {*(uint64_t*)seed};
  step(&rng, true);
  atomic_store(&has_begun, true);
  while (!atomic_load(&over)) {
    step(&rng, random_one_in(&rng, 2));
    if (random_one_in(&rng, 4)) mi_scavenge_all();
  }
  return NULL;
}

_Noreturn static void child(uint64_t seed, bool alone) {
  random_t rng = {seed};
  static patterned_t* mine[MINE];
  alarm(60);
  heaps_check();
  mi_scavenge_all();
  for (size_t i = 0; i < MINE; i++) mine[i] = make(&rng);
  for (size_t i = 0; i < MINE; i += 3) patterned_unmake(mine[i]);
  for (int i = 0; i < STEPS / 10; i++) step(&rng, i % 2 == 0);
  mi_scavenge_all();
  heaps_check();
  for (size_t i = 0; i < MINE; i++) {
    if (i % 3 != 0) patterned_unmake(mine[i]);
  }
  for (size_t i = 0; i < PLACES; i++) patterned_unmake(atomic_exchange(&places[i], NULL));
  mi_collect(true);
  heaps_check();
  if (alone) memory_check();
  _exit(0);
}

static void run(void* (*fn)(void*), uint64_t seed) {
  random_t rng = {seed};
  pthread_t thread;
  atomic_store(&has_begun, false);
  atomic_store(&over, false);
  CHECK_EQ(pthread_create(&thread, NULL, fn, &seed), 0);
  while (!atomic_load(&has_begun)) mi_os_yield(100);
  for (int i = 0; i < FORKS; i++) {
    for (int k = 0; k < STEPS / 10; k++) step(&rng, k % 4 != 0);
    pid_t pid = fork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) child(seed + (uint64_t)i, fn == purge);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  for (size_t i = 0; i < PLACES; i++) patterned_unmake(atomic_exchange(&places[i], NULL));
  mi_collect(true);
  heaps_check();
}

int main(void) {
  uint64_t seed = test_seed();
  mi_option_set(mi_option_purge_delay, 3600000);
  mi_thread_init();
  for (unsigned long race = 0; race < 2; race++) {
    mi_rare_set(mi_rare_race, 2 * race);
    run(purge, seed);
    run(live, seed + 1);
  }
  CHECK_CMP(atomic_load(&holes), >, 0);
  mi_purger_end();
  mi_collect(true);
  memory_check();
  return 0;
}
