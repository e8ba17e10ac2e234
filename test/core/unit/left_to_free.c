/* A thread ends at the moment at which others free its last blocks. Nothing of it stays, unless they see the thread as
   the owner to the last, and are late by a few instructions. */
#include "segment/abandoned.h"

#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"

enum { ROUNDS = 3000, BLOCKS = 3 };

static _Atomic(void*) blocks[BLOCKS];

static void* work(void* arg) {
  for (int i = 0; i < BLOCKS; i++) {
    void* p = mi_malloc((size_t)16 << (5 * i));
    CHECK(p != NULL);
    atomic_store(&blocks[i], p);
  }
  return arg;
}

int main(void) {
  mi_rare_set(mi_rare_race, 1);
  int left = 0;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
    for (int i = 0; i < BLOCKS; i++) {
      void* p;
      while ((p = atomic_exchange(&blocks[i], NULL)) == NULL) mi_os_yield(0);
      for (int spin = 0; spin < round % 50 && i == BLOCKS - 1; spin++) mi_os_yield(0);
      mi_free(p);
    }
    pthread_join(thread, NULL);
    left += mi_abandoned_total() != 0;
    mi_collect(true);
  }
  /* 0 to 2 on a quiet machine, 7 on one that often stops the thread that frees; 60 to 200 if who abandons does not
     look at its pages once more. */
  CHECK_CMP(left, <=, ROUNDS / 60);
  memory_check();
  return 0;
}
