/* System calls, for the files of Linux (linux_*.c) alone.

   malloc must not be a cancellation point, so these files never call a function of the C library
   that is one: they call the system. What every process runs at its start calls the C library as
   little as it can: each function brings some 64 KiB around it into memory, which many programs
   never touch otherwise. */
#ifndef MI_LINUX_H
#define MI_LINUX_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"

/* A sanitizer must know of each mapping and thread. */
#if (defined(__x86_64__) || defined(__aarch64__)) && !MI_OS_ASAN && !MI_OS_TSAN
#define MI_LINUX_RAW 1
#else
#define MI_LINUX_RAW 0
#endif

/* Returns what the kernel does: -errno if it fails. Leaves errno alone, and if MI_LINUX_RAW touches
   no thread-local memory, of which the helper thread has none. */
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

/* For calls that return an address, which may be negative as a long. */
mi_inline bool mi_linux_failed(long result) { return result < 0 && result >= -4095; }

#endif
