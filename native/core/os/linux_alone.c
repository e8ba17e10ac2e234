/* What the helper thread does when it is alone: the program's last thread has ended, but not the
   process. exit ends both, but the system call of that name does not, nor does a filter of system
   calls that kills the thread (SECCOMP_RET_KILL_THREAD, SECCOMP_MODE_STRICT). The process then ends
   with the helper, and has its exit status, since Linux 5.18 or so: a program that was killed would
   seem to have succeeded. So the helper ends it as the program ended (proc_pid_stat(5)). */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "os/linux_helper.h"

#if MI_LINUX_RAW

/* The values of <linux/prctl.h> and <linux/futex.h>, which are not always installed. */
#if !defined(PR_GET_TID_ADDRESS)
#define PR_GET_TID_ADDRESS 40
#endif
enum { FUTEX_WAIT = 0 };

uintptr_t mi_linux_first_thread_word(void) {
  long process = mi_linux_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
  uintptr_t word = 0;
  if (mi_linux_call(SYS_gettid, 0, 0, 0, 0, 0, 0) != process) return 0;
  long result = mi_linux_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&word, 0, 0, 0, 0);
  return result == 0 ? word : 0;
}

/* Whether that word is 0. It may be in memory that was unmapped since. */
static bool has_ended(uintptr_t word) {
  static const struct timespec now = {0};
  return word != 0 &&
         mi_linux_call(SYS_futex, (long)word, FUTEX_WAIT, 0, (long)&now, 0, 0) == -ETIMEDOUT;
}

static size_t read_file(const char* name, char* to, size_t size) {
  long file = mi_linux_call(SYS_openat, AT_FDCWD, (long)name, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (file < 0) return 0;
  long length = mi_linux_call(SYS_read, file, (long)to, (long)size, 0, 0, 0);
  mi_linux_call(SYS_close, file, 0, 0, 0, 0, 0);
  return length > 0 ? (size_t)length : 0;
}

/* Behind the name of the program, which may hold anything. */
static const char* behind_name(const char* text, size_t length) {
  const char* end = text + length;
  while (end > text && end[-1] != ')') end--;
  return end;
}

/* The decimal number that is the n-th word from there on, counted from 0. */
static unsigned word_number(const char* text, unsigned n) {
  while (*text == ' ') text++;
  for (; n > 0 && *text != 0; n--) {
    while (*text != ' ' && *text != 0) text++;
    while (*text == ' ') text++;
  }
  unsigned number = 0;
  for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (unsigned)(*text - '0');
  return number;
}

static _Noreturn void end_as(unsigned status) {
  /* As the kernel has it; all 0 is SIG_DFL. No thread is left whose handler that could be. */
  static const uint64_t by_default[4] = {0};
  unsigned signal = status & 127, code = status >> 8 & 255;
  if (signal != 0) {
    uint64_t others = ~((uint64_t)1 << (signal - 1));
    long process = mi_linux_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
    long thread = mi_linux_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    mi_linux_call(SYS_rt_sigaction, signal, (long)by_default, 0, sizeof(uint64_t), 0, 0);
    mi_linux_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&others, 0, sizeof(others), 0, 0);
    mi_linux_call(SYS_tgkill, process, thread, signal, 0, 0, 0);
    code = 128 + signal;
  }
  for (;;) mi_linux_call(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

void mi_linux_end_if_alone(uintptr_t first_thread_word) {
  /* Not asked of the system if the program goes on: a filter of system calls may forbid that, and
     end the process. */
  if (!has_ended(first_thread_word)) return;
  enum { THREADS = 20 - 3, STATUS = 52 - 3 }; /* the state is field 3 */
  char text[1024];
  size_t length = read_file("/proc/self/stat", text, sizeof(text) - 1);
  text[length] = 0;
  const char* state = behind_name(text, length);
  bool is_dead = state[0] == ' ' && state[1] == 'Z';
  if (is_dead && word_number(state, THREADS) == 2) end_as(word_number(state, STATUS));
}

#endif
