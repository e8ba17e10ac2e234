/* The program's last thread ends, and the process does not, since the purger is there: the parent still learns how the
   program ended, and soon. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "miheap.h"
#include "os/os.h"
#include "os/rare.h"

static void start_purger(void) {
  enum { SIZE = 8 << 20 };
  void* p = mi_malloc(SIZE);
  memset(p, 1, SIZE);
  mi_free(p);
  CHECK(mi_os_helper_lives());
}

static void exit_thread(void) { syscall(SYS_exit, 7); }

static void be_killed_by_filter(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
  syscall(SYS_getppid);
}

static void be_killed_in_strict_mode(void) {
  CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
  syscall(SYS_getppid);
}

/* Other threads go on: the helper must not end the process. */
static void* outlive(void* first_thread) {
  CHECK_EQ(pthread_join(*(pthread_t*)first_thread, NULL), 0);
  nanosleep(&(struct timespec){0, 500000000}, NULL);
  CHECK(mi_os_helper_lives());
  _exit(3);
}

static void leave_another_thread(void) {
  static pthread_t first;
  first = pthread_self();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, outlive, &first), 0);
  pthread_exit(NULL);
}

/* Returns the status of a child that ends so. */
static int run(void (*end)(void)) {
  int64_t started = mi_os_now();
  pid_t child = fork();
  CHECK_CMP(child, >=, 0);
  if (child == 0) {
    start_purger();
    end();
    _exit(99);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  /* Before the purger would end by itself, a second after there is nothing to do. */
  CHECK_CMP(mi_os_now() - started, <, 900);
  return status;
}

int main(void) {
  mi_rare_set(mi_rare_purger, 1);
  mi_option_set(mi_option_purge_delay, 100);
  int status = run(exit_thread);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 7);
  status = run(be_killed_by_filter);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(WTERMSIG(status), SIGSYS);
  status = run(be_killed_in_strict_mode);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  status = run(leave_another_thread);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 3);
  return 0;
}
