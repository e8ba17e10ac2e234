/* The time, straight from the kernel's own library, the vDSO: see vdso(7).

   The C library's clock_gettime may be replaced (by libfaketime or ThreadSanitizer). What replaces
   it may allocate or lock, although the time is asked for in the middle of free; and it may use
   thread-local memory, of which the helper thread has none. */
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "os/linux.h"
#include "os/linux_elf.h"

/* Like clock_gettime(2), but leaves errno alone. */
typedef int clock_fun(clockid_t clock, struct timespec* time);

#if !MI_LINUX_RAW
static int ask_library(clockid_t clock, struct timespec* time) {
  int saved = errno;
  int result = clock_gettime(clock, time);
  errno = saved;
  return result;
}
#endif

static int ask_kernel(clockid_t clock, struct timespec* time) {
#if defined(__LP64__) /* the kernel's structure is the C library's where time has 64 bits in both */
  return (int)mi_linux_call(SYS_clock_gettime, clock, (long)time, 0, 0, 0, 0);
#elif MI_LINUX_RAW
  return -ENOSYS;
#else
  return ask_library(clock, time);
#endif
}

#if MI_LINUX_RAW

#if defined(__x86_64__)
#define NAME "__vdso_clock_gettime"
#else
#define NAME "__kernel_clock_gettime"
#endif

static bool find_symbols(const ElfW(Ehdr) * vdso, uintptr_t* bias, mi_elf_t* elf) {
  const ElfW(Phdr)* segment = (const ElfW(Phdr)*)((uintptr_t)vdso + vdso->e_phoff);
  const ElfW(Dyn)* dynamic = NULL;
  for (unsigned i = 0; i < vdso->e_phnum; i++, segment++) {
    uintptr_t start = (uintptr_t)vdso + segment->p_offset;
    if (segment->p_type == PT_LOAD) *bias = start - segment->p_vaddr; /* there is one */
    if (segment->p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn)*)start;
  }
  return dynamic != NULL && mi_elf_read(dynamic, *bias, elf);
}

/* NULL where there is no vDSO, as in valgrind. */
static clock_fun* find(void) {
  int saved = errno; /* getauxval sets it where there is no vDSO */
  const ElfW(Ehdr)* vdso = (const ElfW(Ehdr)*)getauxval(AT_SYSINFO_EHDR);
  errno = saved;
  uintptr_t bias = 0;
  mi_elf_t elf;
  if (vdso == NULL || !find_symbols(vdso, &bias, &elf)) return NULL;
  for (size_t i = 0; i < elf.count; i++) {
    const ElfW(Sym)* symbol = &elf.symbols[i];
    if (symbol->st_shndx == SHN_UNDEF || strcmp(elf.names + symbol->st_name, NAME) != 0) continue;
    return (clock_fun*)(bias + symbol->st_value);
  }
  return NULL;
}

/* Looking for the vDSO touches errno. So the helper may ask only after another thread has. */
static clock_fun* fast_clock(void) {
  static _Atomic(clock_fun*) found; /* every thread finds the same */
  clock_fun* clock = atomic_load_explicit(&found, memory_order_relaxed);
  if (mi_likely(clock != NULL)) return clock;
  clock = find();
  if (clock == NULL) clock = ask_kernel;
  atomic_store_explicit(&found, clock, memory_order_relaxed);
  return clock;
}

#else

/* A sanitizer expects its own. */
static clock_fun* fast_clock(void) { return ask_library; }

#endif

/* Never 0. */
static int64_t in_ms(struct timespec t) {
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

int64_t mi_os_now(void) {
  struct timespec t = {0, 0};
  (void)fast_clock()(CLOCK_MONOTONIC_COARSE, &t); /* fails only where the call is forbidden */
  return in_ms(t);
}

int64_t mi_os_now_at_start(void) {
  struct timespec t;
  return MI_LINUX_RAW && ask_kernel(CLOCK_MONOTONIC_COARSE, &t) == 0 ? in_ms(t) : mi_os_now();
}

static int64_t in_ns(clockid_t clock) {
  struct timespec t = {0, 0};
  return ask_kernel(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : 0;
}

int64_t mi_os_now_ns(void) { return in_ns(CLOCK_MONOTONIC); }
int64_t mi_os_cpu_ns(void) { return in_ns(CLOCK_PROCESS_CPUTIME_ID); }
