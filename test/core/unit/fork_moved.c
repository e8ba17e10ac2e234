/* A process forks while another thread grows a huge block out of its run of slots. The child ends what that had begun. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"

enum { MIB = 1 << 20, FORKS = 48 / TEST_SLOWNESS };

static _Atomic(bool) over;

static void* grow(void* arg) {
  while (!atomic_load(&over)) {
    uint8_t* p = mi_malloc(8 * MIB);
    *p = 1;
    p = mi_realloc(p, 48 * MIB);
    CHECK_EQ(*p, 1);
    mi_free(p);
  }
  return arg;
}

_Noreturn static void child(void) {
  void* blocks[2];
  for (int i = 0; i < 2; i++) CHECK((blocks[i] = mi_malloc(8 * MIB)) != NULL);
  for (int i = 0; i < 2; i++) mi_free(blocks[i]);
  mi_collect(true);
  heaps_check();
  _exit(0);
}

int main(void) {
  pthread_t thread;
  void* p = mi_malloc(100);
  CHECK_EQ(pthread_create(&thread, NULL, grow, NULL), 0);
  mi_rare_set(mi_rare_race, 2);
  for (int i = 0; i < FORKS; i++) {
    pid_t pid = fork();
    if (pid == 0) child();
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  mi_free(p);
  return 0;
}
