/* What Linux says of itself and of this process: in the files below /proc and /sys, and when it is
   asked. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "os/linux.h"

/* The first bytes of a file of the kernel, `size` - 1 at most, and a 0. False if there are none.
   Not by stdio, which would allocate. */
static bool read_text(const char* path, char* text, size_t size) {
  long fd = mi_linux_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (fd < 0) return false;
  long length = mi_linux_call(SYS_read, fd, (long)text, (long)size - 1, 0, 0, 0);
  mi_linux_call(SYS_close, fd, 0, 0, 0, 0, 0);
  if (length <= 0) return false;
  text[length] = 0;
  return true;
}

/* See proc_sys_vm(5). */
bool mi_os_overcommits(void) {
  enum { UNKNOWN, YES, NO };
  static _Atomic(int) answer; /* every thread finds the same */
  int known = atomic_load_explicit(&answer, memory_order_relaxed);
  if (known == UNKNOWN) {
    char text[8];
    bool never = read_text("/proc/sys/vm/overcommit_memory", text, sizeof(text)) && text[0] == '2';
    known = never ? NO : YES;
    atomic_store_explicit(&answer, known, memory_order_relaxed);
  }
  return known == YES;
}

mi_large_pages_t mi_os_large_pages(void) {
  char text[64];
  if (mi_os_page_size() != MI_OS_LEAST_PAGE ||
      !read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text))) {
    return MI_LARGE_PAGES_NEVER;
  }
  if (strstr(text, "[always]") != NULL) return MI_LARGE_PAGES_EVERYWHERE;
  return strstr(text, "[madvise]") != NULL ? MI_LARGE_PAGES_ON_REQUEST : MI_LARGE_PAGES_NEVER;
}

size_t mi_os_numa_nodes(void) {
  char path[64];
  size_t count = 0;
  do {
    count++;
    snprintf(path, sizeof(path), "/sys/devices/system/node/node%zu", count);
  } while (mi_linux_call(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == 0);
  return count;
}

size_t mi_os_address_limit(void) {
  int saved = errno;
  /* RLIMIT_DATA is for writable memory that is not shared, as all of ours. */
  struct rlimit addresses = {RLIM_INFINITY, RLIM_INFINITY};
  struct rlimit data = addresses;
  getrlimit(RLIMIT_AS, &addresses);
  getrlimit(RLIMIT_DATA, &data);
  errno = saved;
  rlim_t least = addresses.rlim_cur < data.rlim_cur ? addresses.rlim_cur : data.rlim_cur;
  return least == RLIM_INFINITY ? SIZE_MAX : (size_t)least;
}

static size_t milliseconds(struct timeval t) {
  return (size_t)t.tv_sec * 1000 + (size_t)t.tv_usec / 1000;
}

/* Resident pages are the second number of /proc/self/statm. */
static size_t current_rss(void) {
  char text[128];
  if (!read_text("/proc/self/statm", text, sizeof(text))) return 0;
  const char* second = strchr(text, ' ');
  return second == NULL ? 0 : strtoul(second + 1, NULL, 10) * mi_os_page_size();
}

/* The number after `name` in a file of the kernel, however long that is; 0 if it has none. */
static unsigned long number_after(const char* path, const char* name) {
  enum { SIZE = 512, MOST = 64 }; /* MOST: of the name and its number */
  char text[SIZE + 1];
  size_t kept = 0;
  unsigned long number = 0;
  long fd = mi_linux_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (fd < 0) return 0;
  for (;;) {
    long more = mi_linux_call(SYS_read, fd, (long)(text + kept), (long)(SIZE - kept), 0, 0, 0);
    if (more > 0) kept += (size_t)more;
    text[kept] = 0;
    const char* found = strstr(text, name);
    bool is_whole = found != NULL && (found + MOST <= text + kept || more <= 0);
    if (is_whole) number = strtoul(found + strlen(name), NULL, 10);
    if (is_whole || more <= 0) break;
    size_t last = kept < MOST ? kept : MOST;
    memmove(text, text + kept - last, last);
    kept = last;
  }
  mi_linux_call(SYS_close, fd, 0, 0, 0, 0, 0);
  return number;
}

/* Not ru_maxrss, if that can be helped: it is kept across exec, and says what the program before
   had. */
static size_t peak_rss(const struct rusage* usage) {
  unsigned long kib = number_after("/proc/self/status", "\nVmHWM:");
  return (size_t)(kib != 0 ? kib : (unsigned long)usage->ru_maxrss) * 1024;
}

void mi_os_process_info(mi_process_info_t* info) {
  struct rusage usage = {0};
  int saved = errno;
  getrusage(RUSAGE_SELF, &usage);
  info->user_ms = milliseconds(usage.ru_utime);
  info->system_ms = milliseconds(usage.ru_stime);
  info->peak_rss = peak_rss(&usage);
  info->page_faults = (size_t)usage.ru_majflt;
  info->page_reclaims = (size_t)usage.ru_minflt;
  info->rss = current_rss();
  /* The kernel updates the peak now and then only. */
  if (info->peak_rss < info->rss) info->peak_rss = info->rss;
  errno = saved;
}
