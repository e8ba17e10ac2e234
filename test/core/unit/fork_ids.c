/* A thread that starts in a forked child may get the id of one that the child does not have. The memory of that
   one is not its own. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/sanitizer.h"
#include "segment/segment.h"

enum { BLOCKS = 100, MANY = 1000 };

static void* blocks[BLOCKS];
static void* huge;
static uintptr_t id_of_lost_thread;
static pthread_barrier_t ready;

static void* lost(void* arg) {
  id_of_lost_thread = mi_os_thread_id();
  for (int i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(100);
  huge = mi_malloc(3000000);
  for (int i = 0; i < MANY; i++) CHECK(mi_malloc(30000) != NULL);
  pthread_barrier_wait(&ready);
  pthread_barrier_wait(&ready);
  return arg;
}

static void* in_child(void* same_id) {
  *(bool*)same_id = mi_os_thread_id() == id_of_lost_thread;
  void* p = mi_malloc(100);
  mi_segment_t* theirs = mi_segment_find(blocks[0]);
  CHECK(mi_segment_find(p) != theirs);
  CHECK(!mi_segment_is_mine(theirs));
  CHECK(!mi_segment_is_mine(mi_segment_find(huge)));
  uint32_t used = mi_page_of(blocks[0])->used;
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  mi_free(huge);
  CHECK_EQ(mi_page_of(blocks[0])->used, used); /* nobody's, so nobody counts */
  mi_free(p);
  heaps_check();
  return NULL;
}

int main(void) {
#if MI_OS_TSAN /* it cannot follow threads that start in a child of a threaded process */
  (void)in_child, (void)lost;
#else
  pthread_t thread;
  void* p = mi_malloc(100);
  pthread_barrier_init(&ready, NULL, 2);
  CHECK_EQ(pthread_create(&thread, NULL, lost, NULL), 0);
  pthread_barrier_wait(&ready);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    bool same = false;
    pthread_t other;
    alarm(30);
    memory_check_pages(); /* those that lost threads had not counted yet, too */
    CHECK_EQ(pthread_create(&other, NULL, in_child, &same), 0);
    pthread_join(other, NULL);
    _exit(same ? 0 : 3);
  }
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) == 3) printf("the C library gave the child's thread a new id\n");
  CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
  pthread_barrier_wait(&ready);
  pthread_join(thread, NULL);
  mi_free(p);
#endif
  return 0;
}
