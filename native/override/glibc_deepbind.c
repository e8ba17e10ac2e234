/* A library that is opened with RTLD_DEEPBIND looks for a symbol in the libraries that it needs before all others. So it
   finds the C library's own malloc and free. But strdup and its kin allocate by the process's malloc, whoever calls
   them, and what they gave to that library would come to the wrong free (PHP opens its extensions so).

   So before the first library is opened in that way, the C library's table of symbols is changed in memory: what it says
   of malloc and its kin is what the process has. Nobody can have found other ones there before. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "os/linux_elf.h"
#include "os/os.h"

#define EXPORT __attribute__((visibility("default")))

static const char names[] = "malloc\0calloc\0realloc\0free\0cfree\0reallocarray\0posix_"
                            "memalign\0memalign\0aligned_alloc\0valloc\0pvalloc\0"
                            "malloc_usable_size\0__libc_malloc\0__libc_calloc\0__libc_realloc\0__"
                            "libc_free\0__libc_memalign\0__libc_valloc\0"
                            "__libc_pvalloc\0__libc_reallocarray\0__posix_memalign\0";

static bool is_named(const char* name) {
  const char* each = names;
  while (*each != 0 && strcmp(each, name) != 0) each += strlen(each) + 1;
  return *each != 0;
}

/* The table may be written to while others read it: they see the old or the new address. */
static void set_address(const ElfW(Sym) * symbol, ElfW(Addr) value) {
  void* page = (void*)((uintptr_t)&symbol->st_value & ~(mi_os_page_size() - 1));
  if (!mi_os_protect(page, mi_os_page_size(), MI_ACCESS_WRITE)) return;
  *(volatile ElfW(Addr)*)&symbol->st_value = value;
  mi_os_protect(page, mi_os_page_size(), MI_ACCESS_READ);
}

typedef void* open_fun(const char* file, int mode);

static mi_cold void redirect(open_fun* next) {
  struct link_map* libc =
      next("libc.so.6", RTLD_LAZY | RTLD_NOLOAD); /* what a handle is: dlinfo(3) */
  if (libc == NULL) return;
  /* The dynamic linker has made addresses of what the section says, where it can write there. */
  const ElfW(Dyn)* symbols = libc->l_ld;
  while (symbols->d_tag != DT_SYMTAB) symbols++;
  mi_elf_t elf;
  if (!mi_elf_read(libc->l_ld, symbols->d_un.d_ptr < libc->l_addr ? libc->l_addr : 0, &elf)) return;
  for (size_t i = 0; i < elf.count; i++) {
    const ElfW(Sym)* symbol = &elf.symbols[i];
    const char* name = elf.names + symbol->st_name;
    if (symbol->st_shndx == SHN_UNDEF || !is_named(name)) continue;
    void* ours = dlsym(RTLD_DEFAULT, name);
    if (ours != NULL) set_address(symbol, (ElfW(Addr))ours - libc->l_addr);
  }
}

static mi_cold void redirect_once(open_fun* next) {
  enum { NOT_YET, NOW, DONE };
  static _Atomic(int) state;
  int expected = NOT_YET;
  if (atomic_compare_exchange_strong(&state, &expected, NOW)) {
    redirect(next);
    atomic_store(&state, DONE);
  }
  for (unsigned round = 0; atomic_load(&state) != DONE; round++) mi_os_yield(round);
}

EXPORT void* dlopen(const char* file, int mode) {
  static _Atomic(open_fun*) found; /* every thread finds the same */
  open_fun* next = atomic_load_explicit(&found, memory_order_relaxed);
  if (next == NULL) {
    *(void**)&next = dlsym(RTLD_NEXT, "dlopen");
    atomic_store_explicit(&found, next, memory_order_relaxed);
  }
  if ((mode & RTLD_DEEPBIND) != 0) redirect_once(next);
  /* A jump, not a call (cmake/core.cmake): where a library is looked for goes by who called. */
  return next(file, mode);
}
