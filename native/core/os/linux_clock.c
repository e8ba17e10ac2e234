/* The clock, straight from the kernel's own library, the vDSO: see vdso(7). The C library's clock_gettime may be
   somebody else's (libfaketime, ThreadSanitizer), which may use thread-local memory, that the helper thread has none
   of, and may allocate or lock, although the time is asked for in the middle of free. */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "os/linux.h"

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

/* The number of symbols, of which the table of a DT_GNU_HASH holds the last ones: where the chain of the highest bucket
   ends. A chain's last entry has bit 0. */
static size_t count_by_gnu_hash(const uint32_t* table) {
  uint32_t bucket_count = table[0], first = table[1], bloom_size = table[2];
  const uint32_t* buckets = table + 4 + bloom_size * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  const uint32_t* chains = buckets + bucket_count;
  uint32_t last = 0;
  for (uint32_t i = 0; i < bucket_count; i++) {
    if (buckets[i] > last) last = buckets[i];
  }
  if (last < first) return first; /* the table is empty */
  while ((chains[last - first] & 1) == 0) last++;
  return last + 1;
}

/* What is needed of the vDSO's dynamic section. Addresses there are as if it were mapped at `bias` 0. */
typedef struct tables_s {
  uintptr_t bias;
  const ElfW(Sym) * symbols;
  const char* names;
  size_t count;
} tables_t;

static bool find_tables(const ElfW(Ehdr) * vdso, tables_t* tables) {
  const ElfW(Phdr)* segment = (const ElfW(Phdr)*)((uintptr_t)vdso + vdso->e_phoff);
  const ElfW(Dyn)* dynamic = NULL;
  for (unsigned i = 0; i < vdso->e_phnum; i++, segment++) {
    uintptr_t start = (uintptr_t)vdso + segment->p_offset;
    if (segment->p_type == PT_LOAD) tables->bias = start - segment->p_vaddr; /* there is one */
    if (segment->p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn)*)start;
  }
  if (dynamic == NULL) return false;
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    uintptr_t address = tables->bias + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB) tables->symbols = (const ElfW(Sym)*)address;
    if (dynamic->d_tag == DT_STRTAB) tables->names = (const char*)address;
    /* There it is the number of chains. */
    if (dynamic->d_tag == DT_HASH) tables->count = ((const uint32_t*)address)[1];
    if (dynamic->d_tag == DT_GNU_HASH) tables->count = count_by_gnu_hash((const uint32_t*)address);
  }
  return tables->symbols != NULL && tables->names != NULL;
}

/* NULL where there is no vDSO, as in valgrind. */
static mi_linux_clock_fun* find(void) {
  int saved = errno; /* getauxval sets it where there is none */
  const ElfW(Ehdr)* vdso = (const ElfW(Ehdr)*)getauxval(AT_SYSINFO_EHDR);
  errno = saved;
  tables_t tables = {0, NULL, NULL, 0};
  if (vdso == NULL || !find_tables(vdso, &tables)) return NULL;
  for (size_t i = 0; i < tables.count; i++) {
    const ElfW(Sym)* symbol = &tables.symbols[i];
    if (symbol->st_shndx == SHN_UNDEF || strcmp(tables.names + symbol->st_name, NAME) != 0)
      continue;
    return (mi_linux_clock_fun*)(tables.bias + symbol->st_value);
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
