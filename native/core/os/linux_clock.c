/* The clock, straight from the kernel's own library, the vDSO: see vdso(7). The C library's clock_gettime may be
   somebody else's (libfaketime, ThreadSanitizer), which may use thread-local memory, that the helper thread has none
   of, and may allocate or lock, although the time is asked for in the middle of free. */
#include <string.h>
#include <sys/auxv.h>

#include "os/linux.h"
#include "os/linux_elf.h"

int mi_linux_ask_time(clockid_t clock, struct timespec* time) {
#if defined(__LP64__) /* the kernel's structure is the C library's where time has 64 bits in both */
  return (int)mi_linux_call(SYS_clock_gettime, clock, (long)time, 0, 0, 0, 0);
#else
  if (MI_LINUX_RAW) return -ENOSYS; /* the helper may ask, and has no errno */
  int saved = errno;
  int result = clock_gettime(clock, time);
  errno = saved;
  return result;
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
static mi_linux_clock_fun* find(void) {
  int saved = errno; /* getauxval sets it where there is none */
  const ElfW(Ehdr)* vdso = (const ElfW(Ehdr)*)getauxval(AT_SYSINFO_EHDR);
  errno = saved;
  uintptr_t bias = 0;
  mi_elf_t elf;
  if (vdso == NULL || !find_symbols(vdso, &bias, &elf)) return NULL;
  for (size_t i = 0; i < elf.count; i++) {
    const ElfW(Sym)* symbol = &elf.symbols[i];
    if (symbol->st_shndx == SHN_UNDEF || strcmp(elf.names + symbol->st_name, NAME) != 0) continue;
    return (mi_linux_clock_fun*)(bias + symbol->st_value);
  }
  return NULL;
}

mi_linux_clock_fun* mi_linux_clock(void) {
  static _Atomic(mi_linux_clock_fun*) found; /* every thread finds the same */
  mi_linux_clock_fun* clock = atomic_load_explicit(&found, memory_order_relaxed);
  if (mi_likely(clock != NULL)) return clock;
  clock = find();
  if (clock == NULL) clock = mi_linux_ask_time;
  atomic_store_explicit(&found, clock, memory_order_relaxed);
  return clock;
}

#else

/* A sanitizer's is the one that it expects. */
mi_linux_clock_fun* mi_linux_clock(void) { return clock_gettime; }

#endif
