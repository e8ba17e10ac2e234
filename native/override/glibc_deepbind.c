/* A library that is opened with RTLD_DEEPBIND (as PHP opens its extensions) looks for a symbol in
   the libraries that it needs before all others, and so finds the C library's own malloc and free.
   But strdup and its kin allocate by the process's malloc, whatever calls them, and such a library
   would pass their blocks to the wrong free.

   So before the first library is opened in that way, the C library's table of symbols is changed in
   memory: its malloc and its kin become those of the process. (Code that got the C library's own
   functions before, by its handle, still has these.) */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "bits.h"
#include "compiler.h"
#include "os/linux_elf.h"
#include "os/os.h"

/* What is redirected: each name ends with a 0, and the list with an empty one. */
static const char names[] = "malloc\0calloc\0realloc\0free\0cfree\0reallocarray\0"
                            "free_sized\0free_aligned_sized\0"
                            "posix_memalign\0memalign\0aligned_alloc\0valloc\0pvalloc\0"
                            "malloc_usable_size\0"
                            "__libc_malloc\0__libc_calloc\0__libc_realloc\0__libc_free\0"
                            "__libc_memalign\0__libc_valloc\0__libc_pvalloc\0"
                            "__libc_reallocarray\0__posix_memalign\0";

static bool is_named(const char* name) {
  const char* each = names;
  while (*each != 0 && strcmp(each, name) != 0) each += strlen(each) + 1;
  return *each != 0;
}

typedef void* open_fun(const char* file, int mode);

/* Symbols to change, and their new values. */
enum { MOST = 32 };
typedef struct changes_s {
  const ElfW(Sym) * first; /* of all symbols of the library */
  const ElfW(Sym) * end;
  const ElfW(Sym) * symbols[MOST];
  ElfW(Addr) values[MOST];
  size_t count;
} changes_t;

/* Takes the dynamic linker's lock, as the caller of dlopen may have. */
static mi_cold void find_changes(open_fun* next, changes_t* changes) {
  changes->count = 0;
  void* process = next(NULL, RTLD_LAZY);
  /* In glibc a handle is a link_map: dlinfo(3). */
  struct link_map* libc = next("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (process == NULL || libc == NULL) return;
  mi_elf_t elf;
  if (!mi_elf_read_loaded(libc->l_ld, libc->l_addr, &elf)) return;
  changes->first = elf.symbols;
  changes->end = elf.symbols + elf.count;
  for (const ElfW(Sym)* symbol = changes->first; symbol < changes->end; symbol++) {
    const char* name = elf.names + symbol->st_name;
    if (symbol->st_shndx == SHN_UNDEF || !is_named(name) || changes->count == MOST) continue;
    void* address = dlsym(process, name);
    if (address == NULL) continue;
    changes->symbols[changes->count] = symbol;
    changes->values[changes->count++] = (ElfW(Addr))address - libc->l_addr;
  }
}

/* Makes all changes, or none. Threads that read the table meanwhile see old or new addresses. */
static mi_cold bool make(const changes_t* changes) {
  uintptr_t start = mi_align_down((uintptr_t)changes->first, mi_os_page_size());
  uintptr_t end = mi_align_up((uintptr_t)changes->end, mi_os_page_size());
  if (!mi_os_protect((void*)start, end - start, MI_ACCESS_WRITE)) return false;
  for (size_t i = 0; i < changes->count; i++) {
    *(volatile ElfW(Addr)*)&changes->symbols[i]->st_value = changes->values[i];
  }
  mi_os_protect((void*)start, end - start, MI_ACCESS_READ);
  return true;
}

/* While one thread makes the changes, others wait. It takes no lock of the dynamic linker in that
   time; and a forked child in which that thread is lost does not wait, since it has another process
   id. */
static mi_cold void redirect(open_fun* next) {
  enum { NOT_YET = 0, DONE = -1 };
  static _Atomic(pid_t) state; /* NOT_YET, DONE, or the process that makes the changes */
  if (atomic_load(&state) == DONE) return;
  changes_t changes;
  find_changes(next, &changes);
  pid_t self = getpid();
  pid_t seen = NOT_YET;
  for (unsigned round = 0; !atomic_compare_exchange_strong(&state, &seen, self); round++) {
    if (seen == DONE) return;
    if (seen == self) {
      mi_os_yield(round);
      seen = NOT_YET;
    }
  }
  bool done = changes.count == 0 || make(&changes);
  atomic_store(&state, done ? DONE : NOT_YET);
}

mi_exported void* dlopen(const char* file, int mode) {
  static _Atomic(open_fun*) found; /* every thread finds the same */
  open_fun* next = atomic_load_explicit(&found, memory_order_relaxed);
  if (next == NULL) {
    *(void**)&next = dlsym(RTLD_NEXT, "dlopen");
    atomic_store_explicit(&found, next, memory_order_relaxed);
  }
  if ((mode & RTLD_DEEPBIND) != 0) redirect(next);
  /* A jump, not a call (cmake/core.cmake): which run path is searched depends on the caller. */
  return next(file, mode);
}
