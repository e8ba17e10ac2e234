/* The thread that purges: when it is there, and that the program does not notice. */
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "ours.h"
#include "proc.h"

enum { COUNT = 128, SIZE = 256 << 10 };
#define BYTES ((size_t)COUNT * SIZE)
#define FEW (8 * MIB)

static void* blocks[COUNT];

static void take(void) {
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = opaque(malloc(SIZE));
    CHECK(blocks[i] != NULL);
    memset(blocks[i], 1, SIZE);
  }
}

static void give_back(void) {
  for (int i = 0; i < COUNT; i++) free(blocks[i]);
}

static size_t start;

static void churn(void) {
  take();
  CHECK_CMP(proc_resident(), >=, start + BYTES - 4 * MIB); /* a child has less at its start */
  give_back();
}

static bool is_back(void) { return proc_resident() < start + FEW; }

static void wait_until_back(void) {
  for (int ms = 0; ms < 5000 && !is_back(); ms += 20) sleep_ms(20);
  CHECK(is_back());
}

/* It has its name a moment after it was made. */
static long wait_until_there(void) {
  long purger = 0;
  for (int ms = 0; ms < 5000 && (purger = proc_purger()) == 0; ms++) sleep_ms(1);
  CHECK_CMP(purger, !=, 0);
  return purger;
}

static void wait_until_gone(void) {
  for (int ms = 0; ms < 10000 && proc_purger() != 0; ms += 50) sleep_ms(50);
  CHECK_EQ(proc_purger(), 0);
}

/* It comes, sleeps without waking up, goes, and comes again. */
static void comes_and_goes(void) {
  for (int i = 0; i < 200; i++) free(opaque(malloc(1000)));
  CHECK_EQ(proc_purger(), 0); /* that was not worth it */
  for (int round = 0; round < 2; round++) {
    churn();
    long purger = wait_until_there();
    wait_until_back();
    sleep_ms(150); /* it may just look whether there is more */
    long switches = proc_status(purger, "voluntary_ctxt_switches:", 10);
    sleep_ms(400);
    long later = proc_status(purger, "voluntary_ctxt_switches:", 10);
    if (later != -1) CHECK_EQ(later, switches);
    wait_until_gone();
  }
}

static _Atomic(int) signals;
static _Atomic(long) receiver;

static void on_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
  atomic_store(&receiver, syscall(SYS_gettid));
}

/* A signal to the process waits for a thread of the program that takes it, and a system call of the program is not
   interrupted by what the purger does. */
static void gets_no_signal(void) {
  struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
  churn();
  long purger = wait_until_there();
  sigset_t now;
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
  CHECK(sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGUSR2) == 0); /* what it was */
  unsigned long blocked = (unsigned long)proc_status(purger, "SigBlk:", 16);
  for (int number = 1; number <= 64; number++) {
    if (number != SIGKILL && number != SIGSTOP) CHECK((blocked >> (number - 1) & 1) != 0);
  }
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  wait_until_back(); /* checks that no sleep is interrupted */
  CHECK_EQ(atomic_load(&signals), 0);
  CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
  CHECK_EQ(atomic_load(&signals), 1);
  CHECK_EQ(atomic_load(&receiver), syscall(SYS_gettid));
}

/* Children have no purger until they need one; one that purges is not cut off in a way that matters. */
static void is_not_inherited(void) {
  for (int i = 0; i < 8; i++) {
    churn();
    sleep_ms(i % 4 * 30); /* purging, about to, or just done */
    pid_t pid = fork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) {
      take();
      give_back();
      wait_until_there();
      if (i % 5 == 0) wait_until_back();
      exit(0);
    }
    wait_for_good_end(pid);
  }
  wait_until_back();
}

/* A child that has our memory (vfork) starts no purger, which would end with it; unless it is the first to want one. We
   still get one. */
static void is_not_a_guest(void) {
  static int round; /* not clobbered by vfork */
  for (round = 0; round < 3; round++) {
    pid_t pid = vfork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) {
      churn();
      sleep_ms(20);
      _exit(round == 0 || proc_purger() == 0 ? 0 : 1);
    }
    wait_for_good_end(pid);
    churn();
    wait_until_back();
    wait_until_gone();
  }
}

/* The fork handlers of the C library do not run. */
static void comes_in_an_unnoticed_child(void) {
  if (sysconf(_SC_PAGESIZE) != 4096) return; /* it stays unnoticed there */
  churn();
  wait_until_there();
  wait_until_back();
  pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    CHECK_EQ(proc_purger(), 0);
    churn();
    wait_until_there();
    wait_until_back();
    _exit(0);
  }
  wait_for_good_end(pid);
}

static bool frees_in_child;

static void free_in_child(void) {
  if (!frees_in_child) return;
  give_back();
  wait_until_there();
}

/* Before our library registers its own. */
static void register_first(void) { pthread_atfork(NULL, NULL, free_in_child); }
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = register_first;

/* A fork handler of the program frees before ours has repaired what there is. */
static void waits_for_repair(void) {
  churn();
  wait_until_there();
  take();
  frees_in_child = true;
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    /* It has been told to end, and did not just find out when it next looked. */
    for (int ms = 0; ms < 40 && proc_purger() != 0; ms++) sleep_ms(1);
    CHECK_EQ(proc_purger(), 0);
    for (int i = 0; i < 3; i++) {
      churn();
      wait_until_there();
      wait_until_back();
    }
    _exit(0);
  }
  wait_for_good_end(pid);
  frees_in_child = false;
  give_back();
}

/* It does not keep a thread of real-time priority that made it from its processor. Few may have such a priority. */
static void has_no_priority(void) {
  struct sched_param high = {.sched_priority = 1};
  struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_FIFO, &high) != 0) return;
  churn();
  CHECK_EQ(sched_getscheduler((pid_t)wait_until_there()), SCHED_OTHER);
  CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
  CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &none), 0);
  wait_until_back();
}

static void* last(void* arg) {
  sleep_ms(100);
  return arg;
}

/* A main thread that ends waits for the program's threads, and not for the purger. */
static void is_not_waited_for(void) {
  pthread_t thread;
  churn();
  wait_until_there();
  CHECK_EQ(pthread_create(&thread, NULL, last, NULL), 0);
  alarm(10);
  pthread_exit(NULL);
}

/* It is not a thread to the C library. */
static void leaves_locks_off(void) {
  const char* single = dlsym(RTLD_DEFAULT, "__libc_single_threaded");
  if (single == NULL || *single == 0) return; /* another C library, or another thread before */
  churn();
  wait_until_there();
  CHECK_EQ(*single, 1);
}

#if defined(SYS_clone) && (defined(__x86_64__) || defined(__aarch64__))
static void refuse(unsigned call, unsigned error) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}
#endif

/* No thread can be made: memory comes back when the program next calls. */
static void is_done_without(void) {
#if defined(SYS_clone) && (defined(__x86_64__) || defined(__aarch64__))
  refuse(SYS_clone, EAGAIN);
  errno = 0;
  churn();
  CHECK_EQ(errno, 0);
  CHECK_EQ(proc_purger(), 0);
  sleep_ms(300);
  CHECK(!is_back());
  for (int ms = 0; ms < 5000 && !is_back(); ms += 20) {
    for (int i = 0; i < 10000; i++) blocks[i % COUNT] = opaque(malloc(16));
    sleep_ms(20);
  }
  CHECK(is_back());
#endif
}

/* It cannot wait to be woken: it sleeps, and ends. */
static void is_not_woken(void) {
#if defined(SYS_clone) && (defined(__x86_64__) || defined(__aarch64__))
  refuse(SYS_futex, EPERM);
  churn();
  wait_until_there();
  wait_until_back();
  wait_until_gone();
#endif
}

static void may_be_off(void) {
  churn();
  CHECK_EQ(proc_purger(), 0);
  sleep_ms(300);
  CHECK_EQ(proc_purger(), 0);
  CHECK(!is_back());
}

int main(int argc, char** argv) {
  CHECK(is_ours(opaque(malloc(10))));
  start = proc_resident();
  if (argc > 1) {
    may_be_off();
    return 0;
  }
  in_child("comes and goes", comes_and_goes);
  in_child("gets no signal", gets_no_signal);
  in_child("is not inherited", is_not_inherited);
  in_child("is not a guest", is_not_a_guest);
  in_child("comes in an unnoticed child", comes_in_an_unnoticed_child);
  in_child("waits for repair", waits_for_repair);
  in_child("has no priority", has_no_priority);
  in_child("is not waited for", is_not_waited_for);
  in_child("leaves locks off", leaves_locks_off);
  in_child("is done without", is_done_without);
  in_child("is not woken", is_not_woken);
  fflush(NULL);
  setenv("MIHEAP_BACKGROUND_PURGE", "0", 1);
  execl(argv[0], argv[0], "off", (char*)NULL);
  return 1;
}
