/* A fork while another thread unmaps a chunk: the child looks for the segments of the threads that it does not
   have, and must not look into memory that is gone. Here the fork comes right after the unmapping. */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "os/rare.h"
#include "other_thread.h"

enum { BLOCKS = 64, BLOCK_SIZE = 1 << 20 };

static int children;

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

int main(void) {
  static void* blocks[BLOCKS];
  other_thread_begin(); /* a child without other threads would look for nothing */
  for (int i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(BLOCK_SIZE);
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  mi_os_on_unmap(fork_here);
  mi_collect(true);
  CHECK_EQ(children, 1);
  other_thread_end();
  return 0;
}
