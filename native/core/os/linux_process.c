/* The process on Linux: forks, stderr, the environment, random bits. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "os/linux.h"

#if defined(MI_OVERRIDE)
/* Whatever function a program takes from libmiheap.a, the linker takes this file too. Then it must
   take malloc and the operators from there as well, or the program would have two allocators. The
   linker reads these references and drops their section. _ZdlPv is operator delete(void*). */
__asm__(".pushsection .miheap.needs, \"e\", %progbits\n"
        ".dc.a malloc, _ZdlPv\n"
        ".popsection");
#endif

void mi_os_register_fork_child(void (*fn)(void)) {
  int saved = errno;
  pthread_atfork(NULL, NULL, fn);
  errno = saved;
}

/* ---- stderr ---- */

static int kept_stderr = -1;

void mi_os_keep_stderr(void) {
  enum { OUT_OF_THE_WAY = 200 }; /* shells and scripts use low numbers */
  kept_stderr =
      (int)mi_linux_call(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY, 0, 0, 0);
}

static long write_to(int fd, const char* text, size_t length) {
  return mi_linux_call(SYS_write, fd, (long)text, (long)length, 0, 0, 0);
}

void mi_os_write_stderr(const char* text, size_t length) {
  long written = write_to(STDERR_FILENO, text, length);
  if (written == -EBADF && kept_stderr >= 0) write_to(kept_stderr, text, length);
}

/* ---- What the process was given ---- */

/* 0 if there is no such entry. */
static unsigned long auxiliary(unsigned long type) {
  int saved = errno;
  unsigned long value = getauxval(type);
  errno = saved;
  return value;
}

extern char** environ;

static bool begins_with(const char* text, const char* prefix) {
  while (*prefix != 0 && *text == *prefix) text++, prefix++;
  return *prefix == 0;
}

bool mi_os_for_each_variable(const char* prefix, void (*fn)(const char* entry, void* arg),
                             void* arg) {
  if (environ == NULL) return false;
  for (char** entry = environ; *entry != NULL; entry++) {
    if (!begins_with(*entry, prefix)) continue;
    if (auxiliary(AT_SECURE) != 0) return true;
    fn(*entry, arg);
  }
  return true;
}

bool mi_os_random_words(uintptr_t* words, size_t count) {
  long size = (long)(count * sizeof(*words));
  return mi_linux_call(SYS_getrandom, (long)words, size, GRND_NONBLOCK, 0, 0, 0) == size;
}

uintptr_t mi_os_random(void) {
  uintptr_t bits = 0;
  if (!mi_os_random_words(&bits, 1)) {
    /* Early in the boot, or forbidden: what the kernel gave this process, and the time. */
    const unsigned char* seed = (const unsigned char*)auxiliary(AT_RANDOM);
    if (seed != NULL) memcpy(&bits, seed, sizeof(bits));
    bits ^= (uintptr_t)mi_os_now_ns() * 0x9E3779B97F4A7C15u;
  }
  return bits;
}
