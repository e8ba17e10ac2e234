/* The platform contract on Linux, with glibc or musl.

   malloc must not be a point at which a thread can be cancelled, so the C library's functions that
   are one are not called: the system is, by way of syscall(2).

   What every process runs at its start calls the C library as little as it can: each function brings
   some 64 KiB around it into memory, which many programs never touch otherwise. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "os/linux.h"

#if defined(MI_OVERRIDE)
/* Who takes anything from libmiheap.a comes by this file, and needs malloc and the operators from it too, or would
   have two allocators. The linker reads these references and drops their section. _ZdlPv is operator delete(void*). */
__asm__(".pushsection .miheap.needs, \"e\", %progbits\n"
        ".dc.a malloc, _ZdlPv\n"
        ".popsection");
#endif

/* ---- Memory ---- */

size_t mi_prim_page_size(void) {
#if defined(__x86_64__)
  return MI_OS_LEAST_PAGE;
#else
  size_t size = getauxval(AT_PAGESZ);
  return size >= MI_OS_LEAST_PAGE ? size : MI_OS_LEAST_PAGE;
#endif
}

/* The base-2 logarithm of the page size, where mmap wants it. */
#define HUGE_FLAGS(shift) (MAP_HUGETLB | (shift) << MAP_HUGE_SHIFT)

/* Sanitizers look at the C library's mmap and munmap. */
static void* map(size_t size, int access, int flags) {
#if MI_LINUX_RAW
  long p = mi_linux_call(SYS_mmap, 0, (long)size, access, flags, -1, 0);
  if (p >= 0 || p < -4095) return (void*)p;
  errno = (int)-p;
  return NULL;
#else
  void* p = mmap(NULL, size, access, flags, -1, 0);
  return p == MAP_FAILED ? NULL : p;
#endif
}

void* mi_prim_map(size_t size, mi_map_t kind) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (kind == MI_MAP_ADDRESSES) flags |= MAP_NORESERVE;
  if (kind == MI_MAP_LARGE) flags |= HUGE_FLAGS(21);
  return map(size, kind == MI_MAP_RESERVED ? PROT_READ : PROT_READ | PROT_WRITE, flags);
}

static bool unmap(void* p, size_t size) {
#if MI_LINUX_RAW
  return mi_linux_call(SYS_munmap, (long)p, (long)size, 0, 0, 0, 0) == 0;
#else
  int saved = errno;
  bool done = munmap(p, size) == 0;
  errno = saved;
  return done;
#endif
}

static bool advise(void* p, size_t size, int advice) {
  return mi_linux_call(SYS_madvise, (long)p, (long)size, advice, 0, 0, 0) == 0;
}

void mi_prim_unmap(void* p, size_t size) {
  /* Unmapping the middle of a mapping makes two of it, of which there may be too many. The addresses
     are lost then, but the memory is not. */
  if (!unmap(p, size)) advise(p, size, MADV_DONTNEED);
}

/* A private anonymous mapping is there from the start. */
bool mi_prim_commit(void* p, size_t size) {
  (void)p;
  (void)size;
  return true;
}

#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif
void mi_prim_populate(void* p, size_t size) {
  static _Atomic(bool) is_unknown; /* before Linux 5.14, or forbidden */
  if (atomic_load_explicit(&is_unknown, memory_order_relaxed)) return;
  long result = mi_linux_call(SYS_madvise, (long)p, (long)size, MADV_POPULATE_WRITE, 0, 0, 0);
  if (result == -EINVAL || result == -EPERM || result == -ENOSYS) {
    atomic_store_explicit(&is_unknown, true, memory_order_relaxed);
  }
}

mi_purge_t mi_prim_purge(void* p, size_t size, bool decommit) {
#if defined(MADV_FREE)
  if (!decommit && advise(p, size, MADV_FREE)) return MI_PURGE_RESET;
#endif
  return advise(p, size, MADV_DONTNEED) ? MI_PURGE_ZEROED : MI_PURGE_FAILED;
}

bool mi_prim_resize(void* p, size_t size, size_t new_size) {
  int saved = errno;
  bool resized = mremap(p, size, new_size, 0) != MAP_FAILED;
  errno = saved;
  return resized;
}

bool mi_prim_move(void* p, size_t size, void* target, size_t target_size) {
  /* Some kernels unmap the target before they find out that they cannot move; what they find is
     that the memory is no longer one mapping (after mlock or madvise on a part). Asking for no
     change says so first. */
  if (!mi_prim_resize(p, size, size)) return false;
  int saved = errno;
  bool moved = mremap(p, size, target_size, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED;
  errno = saved;
  return moved;
}

/* Linux 5.7, or no. */
bool mi_prim_move_contents(void* p, size_t size, void* target) {
#if defined(MREMAP_DONTUNMAP)
  if (!mi_prim_resize(p, size, size)) return false; /* as in mi_prim_move */
  int saved = errno;
  int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
  bool moved = mremap(p, size, size, flags, target) != MAP_FAILED;
  errno = saved;
  return moved;
#else
  (void)p, (void)size, (void)target;
  return false;
#endif
}

bool mi_prim_protect(void* p, size_t size, mi_access_t access) {
  static const int flags[] = {
      [MI_ACCESS_NONE] = PROT_NONE,
      [MI_ACCESS_READ] = PROT_READ,
      [MI_ACCESS_WRITE] = PROT_READ | PROT_WRITE,
  };
  int saved = errno;
  bool done = mprotect(p, size, flags[access]) == 0;
  errno = saved;
  return done;
}

/* What a file of the kernel begins with, up to `size` - 1 bytes of it. False if there is nothing. By plain system calls,
   since stdio would allocate. */
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

bool mi_os_gives_large_pages(void) {
  char text[64];
  return mi_os_page_size() == MI_OS_LEAST_PAGE &&
         read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) &&
         strstr(text, "[madvise]") != NULL;
}

/* Linux 5.4, or no. What is purged of a large page as such, the system would keep until it is short of memory. */
void mi_os_split_large_page(void* p) {
#if defined(MADV_COLD)
  advise(p, MI_OS_LEAST_PAGE, MADV_COLD);
#else
  (void)p;
#endif
}

bool mi_os_resident(void* p, size_t size, unsigned char* pages) {
  return mi_linux_call(SYS_mincore, (long)p, (long)size, (long)pages, 0, 0, 0) == 0;
}

void mi_os_prefer_large_pages(void* p, size_t size) { advise(p, size, MADV_HUGEPAGE); }

void mi_os_avoid_large_pages(void* p, size_t size) { advise(p, size, MADV_NOHUGEPAGE); }

size_t mi_os_address_limit(void) {
  int saved = errno;
  /* The second one is for writable memory that is not shared, as all of ours. */
  struct rlimit addresses = {RLIM_INFINITY, RLIM_INFINITY};
  struct rlimit data = addresses;
  getrlimit(RLIMIT_AS, &addresses);
  getrlimit(RLIMIT_DATA, &data);
  errno = saved;
  rlim_t least = addresses.rlim_cur < data.rlim_cur ? addresses.rlim_cur : data.rlim_cur;
  return least == RLIM_INFINITY ? SIZE_MAX : (size_t)least;
}

/* ---- Huge pages and NUMA ---- */

bool mi_prim_map_huge_page(void* p, int numa_node) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | HUGE_FLAGS(30);
  if (mmap(p, MI_OS_HUGE_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return false;
  enum { PREFERRED = 1, MOST_NODES = 1024, WORD = 8 * sizeof(unsigned long) };
  if (numa_node >= 0 && numa_node < MOST_NODES) {
    /* Before the first touch. If it fails, the page comes from somewhere else. */
    unsigned long nodes[MOST_NODES / WORD] = {0};
    nodes[(unsigned)numa_node / WORD] = 1ul << ((unsigned)numa_node % WORD);
    syscall(SYS_mbind, p, MI_OS_HUGE_PAGE, PREFERRED, nodes, (unsigned long)MOST_NODES, 0u);
  }
  return true;
}

size_t mi_os_numa_nodes(void) {
  int saved = errno;
  char path[64];
  size_t count = 0;
  do {
    count++;
    snprintf(path, sizeof(path), "/sys/devices/system/node/node%zu", count);
  } while (access(path, F_OK) == 0);
  errno = saved;
  return count;
}

void mi_os_forbid_huge_pages(void) { prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); }

/* ---- Threads ---- */

static pthread_key_t exit_key;
static void (*volatile exit_fn)(void); /* NULL: there is no key */

static void at_thread_exit(void* value) {
  (void)value;
  void (*fn)(void) = exit_fn;
  if (fn != NULL) fn();
}

void mi_os_register_thread_exit(void (*fn)(void)) {
  if (pthread_key_create(&exit_key, at_thread_exit) == 0) exit_fn = fn;
}

void mi_os_unregister_thread_exit(void) {
  if (exit_fn == NULL) return;
  exit_fn = NULL; /* first: the key's number may soon be another's */
  pthread_key_delete(exit_key);
}

bool mi_os_thread_at_exit(void) {
  /* Any value but NULL makes the destructor run. */
  return exit_fn != NULL && pthread_setspecific(exit_key, &exit_key) == 0;
}

__attribute__((weak)) void* dlsym(void* handle, const char* name);

mi_cold void* mi_os_symbol(const char* name) {
  return dlsym == NULL ? NULL : dlsym(RTLD_DEFAULT, name);
}

/* Linkers warn of dlopen in a static program, even of a weak reference. */
mi_cold void* mi_os_library_symbol(const char* library, const char* name) {
  void* (*open)(const char* library, int mode);
  int (*close)(void* handle);
  *(void**)&open = mi_os_symbol("dlopen");
  *(void**)&close = mi_os_symbol("dlclose");
  if (open == NULL || close == NULL) return NULL;
  void* handle = open(library, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == NULL) return NULL;
  void* symbol = dlsym(handle, name);
  close(handle);
  return symbol;
}

/* Libraries that the program began with stay to its end. The others' thread-local memory lies outside of the block
   that each thread is given at its start; how large that is, glibc tells those who ask for it by name. False where
   this cannot be found out: then the library is taken for one that stays. */
static bool was_opened_later(void) {
  static _Thread_local char here;
  void (*static_tls)(size_t * size, size_t * align);
  if (dlsym == NULL) return false;
  *(void**)&static_tls = dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info");
  if (static_tls == NULL) return false;
  size_t size;
  size_t align;
  static_tls(&size, &align);
  uintptr_t block = mi_os_thread_id();
  uintptr_t distance =
      (uintptr_t)&here > block ? (uintptr_t)&here - block : block - (uintptr_t)&here;
  return distance > size;
}

static void (*unload_fn)(void); /* NULL: it will not be called */
static bool destructors_have_run;

/* Of a library opened later, exit calls these first and the destructors then. dlclose calls the
   destructors first: among the last of them, put there by the compiler, is one that calls what the
   library gave to atexit. */
static void at_exit_or_unload(void) {
  void (*fn)(void) = unload_fn;
  unload_fn = NULL;
  if (destructors_have_run) fn();
}

void mi_os_register_unload(void (*fn)(void)) {
  /* If atexit fails, memory stays mapped. */
  if (was_opened_later() && atexit(at_exit_or_unload) == 0) unload_fn = fn;
}

bool mi_os_destructors_run(void) {
  destructors_have_run = true;
  return unload_fn != NULL;
}

void mi_os_register_fork_child(void (*fn)(void)) { pthread_atfork(NULL, NULL, fn); }

mi_os_identity_t mi_os_identity(void) {
  mi_os_identity_t who = {{0}};
  _Static_assert(sizeof(uid_t) == sizeof(who.ids[0]) && sizeof(gid_t) == sizeof(who.ids[0]), "");
  uint32_t* ids = who.ids;
#if MI_LINUX_RAW /* the C library's may be somebody else's: this is asked for in the middle of free */
  mi_linux_call(SYS_getresuid, (long)&ids[0], (long)&ids[1], (long)&ids[2], 0, 0, 0);
  mi_linux_call(SYS_getresgid, (long)&ids[3], (long)&ids[4], (long)&ids[5], 0, 0, 0);
#else
  (void)getresuid(&ids[0], &ids[1], &ids[2]);
  (void)getresgid(&ids[3], &ids[4], &ids[5]);
#endif
  return who;
}

void mi_os_yield(unsigned round) {
  if (round < 64) {
    sched_yield();
  } else {
    /* The thread waited for may have a lower real-time priority, which a yield never lets run. */
    struct timespec pause = {0, 50 * 1000};
    int saved = errno;
    syscall(SYS_nanosleep, &pause, NULL);
    errno = saved;
  }
}

/* ---- The rest ---- */

static int64_t in_ms(struct timespec t) {
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

int64_t mi_os_now(void) {
  struct timespec t = {0, 0};
  /* Fails only where the system call is forbidden. */
  (void)mi_linux_clock()(CLOCK_MONOTONIC_COARSE, &t);
  return in_ms(t);
}

int64_t mi_os_now_at_start(void) {
  struct timespec t;
  return MI_LINUX_RAW && mi_linux_ask_time(CLOCK_MONOTONIC_COARSE, &t) == 0 ? in_ms(t)
                                                                            : mi_os_now();
}

static int64_t in_ns(clockid_t clock) {
  struct timespec t = {0, 0};
  return mi_linux_ask_time(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : 0;
}

int64_t mi_os_now_ns(void) { return in_ns(CLOCK_MONOTONIC); }
int64_t mi_os_cpu_ns(void) { return in_ns(CLOCK_PROCESS_CPUTIME_ID); }

static int kept_stderr = -1;

void mi_os_keep_stderr(void) {
  enum { OUT_OF_THE_WAY = 200 }; /* shells and scripts use low numbers */
  int saved = errno;
  kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
  errno = saved;
}

void mi_os_write_stderr(const char* text, size_t length) {
  int saved = errno;
  long written = syscall(SYS_write, STDERR_FILENO, text, length);
  if (written < 0 && errno == EBADF && kept_stderr >= 0) {
    written = syscall(SYS_write, kept_stderr, text, length);
  }
  (void)written;
  errno = saved;
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
    if (getauxval(AT_SECURE) != 0) return true;
    fn(*entry, arg);
  }
  return true;
}

uintptr_t mi_os_random(void) {
  uintptr_t bits = 0;
  int saved = errno;
  long got = mi_linux_call(SYS_getrandom, (long)&bits, sizeof(bits), GRND_NONBLOCK, 0, 0, 0);
  if (got != (long)sizeof(bits)) {
    /* Early in the boot, or forbidden: what the kernel gave this process, and the time. */
    const unsigned char* seed = (const unsigned char*)getauxval(AT_RANDOM);
    if (seed != NULL) memcpy(&bits, seed, sizeof(bits));
    struct timespec t = {0, 0};
    (void)mi_linux_ask_time(CLOCK_MONOTONIC, &t);
    bits ^= (uintptr_t)t.tv_nsec * 0x9E3779B97F4A7C15u;
  }
  errno = saved;
  return bits;
}

static size_t milliseconds(struct timeval t) {
  return (size_t)t.tv_sec * 1000 + (size_t)t.tv_usec / 1000;
}

/* Resident pages: the second number of /proc/self/statm. */
static size_t current_rss(void) {
  char text[128];
  if (!read_text("/proc/self/statm", text, sizeof(text))) return 0;
  const char* second = strchr(text, ' ');
  return second == NULL ? 0 : strtoul(second + 1, NULL, 10) * mi_os_page_size();
}

void mi_os_process_info(mi_process_info_t* info) {
  struct rusage usage;
  int saved = errno;
  getrusage(RUSAGE_SELF, &usage);
  info->user_ms = milliseconds(usage.ru_utime);
  info->system_ms = milliseconds(usage.ru_stime);
  info->peak_rss = (size_t)usage.ru_maxrss * 1024;
  info->page_faults = (size_t)usage.ru_majflt;
  info->page_reclaims = (size_t)usage.ru_minflt;
  info->rss = current_rss();
  /* The kernel updates the peak now and then only. */
  if (info->peak_rss < info->rss) info->peak_rss = info->rss;
  errno = saved;
}
