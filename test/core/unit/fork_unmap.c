/* A fork while another thread unmaps a chunk: the child looks for the segments of the threads that it does not
   have, and must not look into memory that is gone. Here the fork comes right after the unmapping. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "os/rare.h"

enum { BLOCKS = 64, BLOCK_SIZE = 1 << 20 };

static int children;
static pthread_barrier_t ready;

static void fork_here(size_t size) {
  if (size < MI_CHUNK_SIZE || children > 0) return;
  children++;
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) _exit(0);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child without other threads would look for nothing. */
static void* other(void* arg) {
  void* p = mi_malloc(100);
  pthread_barrier_wait(&ready);
  pthread_barrier_wait(&ready);
  mi_free(p);
  return arg;
}

int main(void) {
  static void* blocks[BLOCKS];
  pthread_t thread;
  pthread_barrier_init(&ready, NULL, 2);
  CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
  pthread_barrier_wait(&ready);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(BLOCK_SIZE);
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  mi_os_on_unmap(fork_here);
  mi_collect(true);
  CHECK_EQ(children, 1);
  pthread_barrier_wait(&ready);
  pthread_join(thread, NULL);
  return 0;
}
