/* A process forks while a thread without a heap gives back what ended ones left: the child can adopt all of it, and knows
   how much there is. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "segment/abandoned.h"
#include "segment/purger.h"

enum { PLACES = 4096, SIZE = 1024, ROUNDS = 16 / TEST_SLOWNESS, FORKS = 8 };

static _Atomic(void*) places[PLACES];
static _Atomic(bool) running;
static _Atomic(bool) over;

static void* fill(void* arg) {
  for (int i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], mi_malloc(SIZE)));
  return arg;
}

static void* free_all(void* arg) {
  atomic_store(&running, true);
  while (!atomic_load(&over)) {
    for (int i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], NULL));
  }
  return arg;
}

_Noreturn static void child(void) {
  mi_collect(true);
  heaps_check();
  CHECK_EQ(mi_abandoned_total(), 0);
  CHECK_EQ(memory_gauges().abandoned, 0);
  memory_check();
  _exit(0);
}

int main(void) {
  pthread_t freer;
  CHECK_EQ(pthread_create(&freer, NULL, free_all, NULL), 0);
  while (!atomic_load(&running)) mi_os_yield(100);
  mi_thread_init();
  mi_rare_set(mi_rare_race, 2);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t filler;
    CHECK_EQ(pthread_create(&filler, NULL, fill, NULL), 0);
    pthread_join(filler, NULL);
    for (int i = 0; i < FORKS; i++) {
      pid_t pid = fork();
      if (pid == 0) child();
      CHECK_CMP(pid, >, 0);
      int status;
      CHECK_EQ(waitpid(pid, &status, 0), pid);
      CHECK_EQ(status, 0);
    }
  }
  atomic_store(&over, true);
  pthread_join(freer, NULL);
  for (int i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], NULL));
  mi_purger_end();
  mi_collect(true);
  memory_check();
  return 0;
}
