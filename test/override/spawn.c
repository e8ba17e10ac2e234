/* Children that share memory with their parent until they become another program: vfork, posix_spawn, system,
   popen; while other threads allocate. */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"

enum { TIMES = 12, THREADS = 2 };

extern char** environ;
static _Atomic(bool) stop;

static void* churn(void* arg) {
  size_t size = 1;
  while (!atomic_load(&stop)) {
    size = size * 7 % 100003;
    unsigned char* p = malloc(size);
    pattern_fill(p, size, size);
    CHECK(pattern_holds(p, size, size));
    free(p);
  }
  return arg;
}

static void check_child(pid_t pid, int code) {
  int status;
  CHECK_CMP(pid, >, 0);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), code);
}

/* Programs do allocate before exec, with the parent's heap, in the parent's memory. */
static void by_vfork(void) {
  void* volatile before = malloc(100);
  static void* of_child;
  pid_t pid = vfork();
  if (pid == 0) {
    free(before);
    of_child = malloc(5000);
    free(malloc(3000000));
    execl("/bin/sh", "sh", "-c", "exit 7", (char*)NULL);
    _exit(127);
  }
  check_child(pid, 7);
  free(of_child); /* the parent's, as everything is */
  pid = vfork();
  if (pid == 0) _exit(9);
  check_child(pid, 9);
}

static void by_spawn(void) {
  char* const words[] = {"sh", "-c", "exit 5", NULL};
  posix_spawn_file_actions_t actions;
  pid_t pid;
  CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
  CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0), 0);
  CHECK_EQ(posix_spawnp(&pid, "sh", &actions, NULL, words, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  check_child(pid, 5);
}

static void by_library(void) {
  char line[100] = {0};
  CHECK_EQ(system("exit 3"), 3 << 8);
  FILE* f = popen("echo from the child", "r");
  CHECK(f != NULL);
  CHECK(fgets(line, sizeof(line), f) != NULL);
  CHECK_STR(line, "from the child\n");
  CHECK_EQ(pclose(f), 0);
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_create(&threads[i], NULL, churn, NULL), 0);
  for (int i = 0; i < TIMES; i++) {
    by_vfork();
    by_spawn();
    by_library();
  }
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
