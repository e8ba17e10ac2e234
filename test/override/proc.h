/* What /proc says of this process and its threads. Allocates nothing, so that a program which is quiet stays so. */
#ifndef MI_TEST_PROC_H
#define MI_TEST_PROC_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define MIB ((size_t)1 << 20)

static inline void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  CHECK_EQ(nanosleep(&t, NULL), 0); /* no signal ends it */
}

/* The file's text, or "" if it is not there. */
static inline void proc_read(const char* path, char* text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
  text[length < 0 ? 0 : length] = 0;
  if (fd >= 0) close(fd);
}

static inline size_t proc_resident(void) {
  char text[128];
  proc_read("/proc/self/statm", text, sizeof(text));
  return strtoul(strchr(text, ' ') + 1, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* The purger's thread id; 0: there is none. */
static inline long proc_purger(void) {
  struct {
    unsigned long inode;
    long offset;
    unsigned short length;
    unsigned char type;
    char name[];
  } const* entry;
  _Alignas(8) char entries[4096];
  long found = 0;
  int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK_CMP(fd, >=, 0);
  long length;
  while ((length = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
    for (long at = 0; at < length; at += entry->length) {
      char path[64];
      char name[32];
      entry = (const void*)(entries + at);
      if (entry->name[0] == '.') continue;
      snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->name);
      proc_read(path, name, sizeof(name));
      if (strcmp(name, "miheap-purge\n") == 0) found = strtol(entry->name, NULL, 10);
    }
  }
  close(fd);
  return found;
}

/* The number that follows `field` in the status of a thread; -1 if the thread is gone. */
static inline long proc_status(long thread, const char* field, int base) {
  char path[64];
  char text[4096];
  snprintf(path, sizeof(path), "/proc/self/task/%ld/status", thread);
  proc_read(path, text, sizeof(text));
  const char* at = strstr(text, field);
  return at == NULL ? -1 : (long)strtoul(at + strlen(field), NULL, base);
}

static inline void wait_for_good_end(pid_t pid) {
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

/* Runs `fn` in a child, which must end well. */
static inline void in_child(const char* name, void (*fn)(void)) {
  printf("%s\n", name);
  fflush(NULL);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    alarm(60);
    fn();
    _exit(0);
  }
  wait_for_good_end(pid);
}

#endif
