/* Forbids system calls, as containers and sandboxes do. */
#ifndef MI_TEST_FORBID_H
#define MI_TEST_FORBID_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#if defined(__x86_64__)
#define FORBID_MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FORBID_MACHINE AUDIT_ARCH_AARCH64
#endif

/* From now on each of these calls, of which madvise must be one, fails with `error`: in all threads
   of the process and its children, and for ever. */
static inline void forbid(const unsigned* calls, size_t count, unsigned error) {
  enum { MOST = 64 };
  struct sock_filter code[2 * MOST + 5];
  size_t n = 0;
  CHECK_CMP(count, <=, MOST);
  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORBID_MACHINE, 1, 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < count; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {(unsigned short)n, code};
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
  errno = 0;
  CHECK_EQ(syscall(SYS_madvise, NULL, 0, 0), -1);
  CHECK_EQ(errno, error);
}

#endif
