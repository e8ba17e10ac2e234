/* Keys of pages: no two are the same, whichever threads take them, and a forked child has others
   than its parent. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "segment/page_key.h"

enum { THREADS = 4, EACH = 20000 };

static uintptr_t keys[THREADS * EACH];
static pthread_barrier_t begin;

static void* take(void* place) {
  pthread_barrier_wait(&begin);
  for (uintptr_t *key = place, *end = key + EACH; key < end; key++) *key = mi_page_key_new();
  return NULL;
}

static int compare(const void* a, const void* b) {
  uintptr_t x = *(const uintptr_t*)a, y = *(const uintptr_t*)b;
  return (x > y) - (x < y);
}

static void no_key_comes_twice(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&begin, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, take, &keys[i * EACH]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  qsort(keys, THREADS * EACH, sizeof(keys[0]), compare);
  CHECK(keys[0] != 0);
  for (int i = 1; i < THREADS * EACH; i++) CHECK(keys[i - 1] != keys[i]);
}

static void a_child_has_others(void) {
  uintptr_t theirs, ours;
  int ends[2];
  void* p = mi_malloc(1); /* so that the core hears of the fork */
  (void)mi_page_key_new();
  CHECK_EQ(pipe(ends), 0);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    ours = mi_page_key_new();
    _exit(write(ends[1], &ours, sizeof(ours)) == sizeof(ours) ? 0 : 1);
  }
  ours = mi_page_key_new();
  CHECK_EQ(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
  CHECK(ours != theirs);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  mi_free(p);
}

int main(void) {
  no_key_comes_twice();
  a_child_has_others();
  return 0;
}
