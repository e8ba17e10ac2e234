/* The helper thread on Linux: made by clone, so that the C library does not know it.

   pthread_create would allocate, which is to say call us; take locks of the C library that the
   thread in the middle of malloc may hold; end __libc_single_threaded for good; and leave a thread
   for which pthread_exit in main waits. So what runs in the helper must not touch thread-local
   memory. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "os/linux_helper.h"
#include "os/rare.h"

static const char name[] = "miheap-purge"; /* 15 characters at most */

/* ---- Waiting ---- */

/* The values of <linux/futex.h>, which is not always installed. */
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

bool mi_os_wait(_Atomic(uint32_t)* word, uint32_t value, int64_t ms) {
  if (ms < 0) ms = 0;
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  long result = mi_linux_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, (long)&time, 0, 0);
  if (result == 0 || result == -EAGAIN || result == -EINTR) return true;
  /* Where a filter forbids futex, no thread can wake this one. */
  if (result != -ETIMEDOUT) mi_linux_call(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
  return false;
}

void mi_os_wake(_Atomic(uint32_t)* word) {
  mi_linux_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

/* Signals are blocked while a helper is made: so it gets none from its first instruction on. */
static void change_signals(const uint64_t* to, uint64_t* from) {
  mi_linux_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)to, (long)from, sizeof(*to), 0, 0);
}
static const uint64_t every_signal = ~(uint64_t)0;

/* ---- The thread ---- */

#if MI_LINUX_RAW

/* Helpers at a time: one may begin while the one before it is in its last instructions. */
enum { STACKS = 2, STACK_SIZE = 16 << 10, CONTROL_WORDS = 64 };

typedef struct helper_s {
  /* The kernel makes it 0 when the thread will not touch its stack again. */
  _Alignas(64) _Atomic(uint32_t) alive;
  void (*fn)(void);
  _Atomic(uint32_t) number;    /* owners that wait read it while a successor is being started */
  uintptr_t first_thread_word; /* of mi_linux_first_thread_word */
  /* The thread register points to the middle: there are the thread's id, and the guard of stack
     frames that compilers ask for. The C library would keep its own data of the thread here; the
     helper never asks for that. */
  _Alignas(64) uintptr_t control[2 * CONTROL_WORDS];
  _Alignas(64) uint8_t stack[STACK_SIZE];
} helper_t;

/* On system pages of its own, of 4 KiB or more: keep_from_children. */
typedef struct helpers_s {
  _Alignas(MI_OS_LEAST_PAGE) helper_t all[STACKS];
  _Atomic(uint32_t) starter; /* the process that last started one */
} helpers_t;
static helpers_t helpers;
#define END (helpers.all + STACKS)

#if !defined(MADV_WIPEONFORK)
#define MADV_WIPEONFORK 18
#endif
/* Has the system clear them in children, so that also those see that they have no helper whose fork
   handlers do not run (_Fork, clone). Refused before Linux 4.14. Larger system pages hold other
   variables, too. */
static void keep_from_children(void) {
  if (mi_os_page_size() != MI_OS_LEAST_PAGE) return;
  mi_linux_call(SYS_madvise, (long)&helpers, sizeof(helpers), MADV_WIPEONFORK, 0, 0, 0);
}

static uint32_t this_process(void) { return (uint32_t)mi_linux_call(SYS_getpid, 0, 0, 0, 0, 0, 0); }

/* Whose memory this is. Wrong in a child without fork handlers; but there `starter` is 0 at
   first. */
static _Atomic(uint32_t) process;

void mi_os_helper_prepare(void) {
  atomic_store_explicit(&process, this_process(), memory_order_relaxed);
}

bool mi_os_is_guest(void) {
  uint32_t mine = this_process();
  uint32_t starter = atomic_load_explicit(&helpers.starter, memory_order_relaxed);
  return mine != atomic_load_explicit(&process, memory_order_relaxed) && starter != 0 &&
         starter != mine;
}

static _Noreturn void leave(void) {
  for (;;) mi_linux_call(SYS_exit, 0, 0, 0, 0, 0, 0);
}

/* The thread that started us may have a real-time priority. We would keep it from its processor for
   as long as we purge. */
static void give_up_priority(void) {
  static const struct sched_param none = {0};
  long policy = mi_linux_call(SYS_sched_getscheduler, 0, 0, 0, 0, 0, 0) & ~SCHED_RESET_ON_FORK;
  if (policy == SCHED_FIFO || policy == SCHED_RR) {
    mi_linux_call(SYS_sched_setscheduler, 0, SCHED_OTHER, (long)&none, 0, 0, 0);
  }
}

__attribute__((used)) static _Noreturn void begin(helper_t* helper) {
  give_up_priority();
  mi_linux_call(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
  helper->fn();
  mi_linux_end_if_alone(helper->first_thread_word);
  leave();
}

/* Makes a thread that calls begin(helper) on its own stack. Returns its id, or less than 0. */
static long clone_helper(helper_t* helper, unsigned long flags) {
  uintptr_t* control = helper->control + CONTROL_WORDS;
  uint8_t* top = helper->stack + STACK_SIZE;
  void (*entry)(helper_t*) = begin;
#if defined(__x86_64__)
  control[0] = (uintptr_t)control;
  long result;
  register void* to_clear __asm__("r10") = (void*)&helper->alive;
  register void* tls __asm__("r8") = control;
  register helper_t* argument __asm__("r12") = helper;
  register void (*function)(helper_t*) __asm__("r13") = entry;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "mov %%r12, %%rdi\n\t"
                   "call *%%r13\n\t"
                   "1:"
                   : "=a"(result)
                   : "a"((long)SYS_clone), "D"(flags), "S"(top), "d"((void*)&helper->alive),
                     "r"(to_clear), "r"(tls), "r"(argument), "r"(function)
                   : "rcx", "r11", "memory", "cc");
  return result;
#else
  register long number __asm__("x8") = SYS_clone;
  register long x0 __asm__("x0") = (long)flags;
  register void* x1 __asm__("x1") = top;
  register void* x2 __asm__("x2") = (void*)&helper->alive;
  register void* x3 __asm__("x3") = control;
  register void* x4 __asm__("x4") = (void*)&helper->alive;
  register helper_t* argument __asm__("x9") = helper;
  register void (*function)(helper_t*) __asm__("x10") = entry;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t"
                   "mov x30, xzr\n\t"
                   "mov x0, x9\n\t"
                   "blr x10\n\t"
                   "1:"
                   : "+r"(x0)
                   : "r"(number), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(argument), "r"(function)
                   : "memory", "cc");
  return x0;
#endif
}

/* Not among what is cleared in children: they go on with the next number. */
static uint32_t last_number;

bool mi_os_helper_start(void (*fn)(void)) {
  if (mi_os_fault()) return false;
  helper_t* helper = helpers.all;
  while (helper < END && atomic_load_explicit(&helper->alive, memory_order_acquire) != 0) {
    helper++;
  }
  if (helper == END) return false;
  keep_from_children();
  atomic_store_explicit(&helpers.starter, this_process(), memory_order_relaxed);
  uint64_t mask;
  helper->fn = fn;
  atomic_store_explicit(&helper->number, ++last_number, memory_order_relaxed);
  helper->first_thread_word = mi_linux_first_thread_word();
  change_signals(&every_signal, &mask);
  atomic_store_explicit(&helper->alive, 1, memory_order_relaxed);
  long id = clone_helper(helper, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                     CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                     CLONE_CHILD_CLEARTID);
  change_signals(&mask, NULL);
  if (id > 0) return true;
  atomic_store_explicit(&helper->alive, 0, memory_order_relaxed);
  return false;
}

bool mi_os_is_helper(void) { return mi_os_thread_id() - (uintptr_t)&helpers < sizeof(helpers); }

static const helper_t* this_helper(void) {
  size_t offset = mi_os_thread_id() - (uintptr_t)helpers.all;
  return &helpers.all[offset / sizeof(helper_t)];
}

uint32_t mi_os_helper_number(void) {
  return atomic_load_explicit(&this_helper()->number, memory_order_relaxed);
}

void mi_os_helper_end_if_alone(void) { mi_linux_end_if_alone(this_helper()->first_thread_word); }

bool mi_os_helper_lives_as(uint32_t number) {
  for (helper_t* helper = helpers.all; helper < END; helper++) {
    if (atomic_load_explicit(&helper->number, memory_order_relaxed) == number) {
      return atomic_load_explicit(&helper->alive, memory_order_relaxed) != 0;
    }
  }
  return false;
}

bool mi_os_helper_lives(void) {
  bool lives = false;
  for (helper_t* helper = helpers.all; helper < END; helper++) {
    lives |= atomic_load_explicit(&helper->alive, memory_order_relaxed) != 0;
  }
  return lives;
}

void mi_os_helper_join(void) {
  for (helper_t* helper = helpers.all; helper < END; helper++) {
    for (unsigned round = 0; atomic_load_explicit(&helper->alive, memory_order_acquire) != 0;
         round++) {
      mi_os_yield(round);
    }
  }
}

mi_cold void mi_os_helper_forked(void) {
  if (atomic_load_explicit(&helpers.starter, memory_order_relaxed) == this_process()) {
    mi_os_helper_join();
  }
  for (helper_t* helper = helpers.all; helper < END; helper++) {
    atomic_store_explicit(&helper->alive, 0, memory_order_relaxed);
  }
  atomic_store_explicit(&helpers.starter, 0, memory_order_relaxed);
  mi_os_helper_prepare();
}

#else

/* A sanitizer knows no threads but those of pthread_create, and has a malloc of its own. */
static _Atomic(uint32_t) alive;
static _Thread_local bool is_helper;

bool mi_os_is_helper(void) { return is_helper; }
void mi_os_helper_end_if_alone(void) {}
/* None of these is ever lost. */
uint32_t mi_os_helper_number(void) { return 1; }
bool mi_os_helper_lives_as(uint32_t number) { return number == 1 && mi_os_helper_lives(); }
void mi_os_helper_prepare(void) {}
bool mi_os_is_guest(void) { return false; } /* pthread_create works in no guest */

static void* begin(void* fn) {
  is_helper = true;
  pthread_setname_np(pthread_self(), name);
  ((void (*)(void))fn)();
  atomic_fetch_sub_explicit(&alive, 1, memory_order_release);
  return NULL;
}

bool mi_os_helper_start(void (*fn)(void)) {
  if (mi_os_fault()) return false;
  int saved = errno;
  pthread_t thread;
  uint64_t mask;
  change_signals(&every_signal, &mask);
  atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
  bool started = pthread_create(&thread, NULL, begin, (void*)fn) == 0;
  if (started) {
    pthread_detach(thread);
  } else {
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
  }
  change_signals(&mask, NULL);
  errno = saved;
  return started;
}

bool mi_os_helper_lives(void) { return atomic_load_explicit(&alive, memory_order_relaxed) != 0; }

void mi_os_helper_join(void) {
  for (unsigned round = 0; atomic_load_explicit(&alive, memory_order_acquire) != 0; round++) {
    mi_os_yield(round);
  }
}

mi_cold void mi_os_helper_forked(void) { atomic_store_explicit(&alive, 0, memory_order_relaxed); }

#endif
