/* System calls that touch no thread-local memory, and so neither errno: the helper thread has none. */
#ifndef MI_LINUX_H
#define MI_LINUX_H

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

/* A sanitizer must know of each mapping and thread. */
#if (defined(__x86_64__) || defined(__aarch64__)) && !MI_OS_ASAN && !MI_OS_TSAN
#define MI_LINUX_RAW 1
#else
#define MI_LINUX_RAW 0
#endif

/* Returns what the kernel does: -errno if it fails. */
mi_inline long mi_linux_call(long number, long a, long b, long c, long d, long e, long f) {
#if MI_LINUX_RAW && defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif MI_LINUX_RAW
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
  int saved = errno;
  long result = syscall(number, a, b, c, d, e, f);
  if (result == -1) result = -errno;
  errno = saved;
  return result;
#endif
}

/* As clock_gettime(2), but errno stays. Never NULL; also for the helper, once another thread has asked. */
typedef int mi_linux_clock_fun(clockid_t clock, struct timespec* time);
/* By a system call. */
mi_linux_clock_fun mi_linux_ask_time;
/* By way of the vDSO if there is one. */
mi_linux_clock_fun* mi_linux_clock(void);

#endif
