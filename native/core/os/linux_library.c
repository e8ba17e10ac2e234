/* Libraries on Linux: what names stand for, and the unloading of the one that we are part of. */
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "os/linux.h"
#include "os/linux_elf.h"

/* NULL in a static program. */
__attribute__((weak)) void* dlsym(void* handle, const char* name);
__attribute__((weak)) char* dlerror(void);

static void* find(void* handle, const char* name) {
  int saved = errno;
  void* symbol = dlsym == NULL ? NULL : dlsym(handle, name);
  errno = saved;
  return symbol;
}

void* mi_os_symbol(const char* name) { return find(RTLD_DEFAULT, name); }

/* Linkers warn of dlopen in a static program, even of a weak reference to it. */
void* mi_os_library_symbol(const char* library, const char* name) {
  void* (*open)(const char* library, int mode);
  int (*close)(void* handle);
  *(void**)&open = mi_os_symbol("dlopen");
  *(void**)&close = mi_os_symbol("dlclose");
  if (open == NULL || close == NULL) return NULL;
  int saved = errno;
  void* handle = open(library, RTLD_LAZY | RTLD_NOLOAD);
  void* symbol = handle == NULL ? NULL : dlsym(handle, name);
  if (handle != NULL) close(handle);
  errno = saved;
  return symbol;
}

/* ---- Unloading ---- */

/* Set for a library that is linked with -z nodelete. */
#if !defined(MI_NEVER_UNLOADED)
#define MI_NEVER_UNLOADED 0
#endif

static void (*unload_fn)(void); /* NULL: it will not be called */
static bool destructors_have_run;

/* Whether the library gives the symbol to all who look for its name. */
static bool is_given(const mi_elf_t* elf, size_t index) {
  const ElfW(Sym)* symbol = &elf->symbols[index];
  unsigned type = symbol->st_info & 0xF;
  unsigned binding = symbol->st_info >> 4;
  return (type == STT_FUNC || type == STT_OBJECT) && symbol->st_value != 0 &&
         (binding == STB_GLOBAL || binding == STB_WEAK) && symbol->st_shndx != SHN_UNDEF &&
         (elf->versions == NULL || (elf->versions[index] & 0x8000) == 0);
}

typedef struct self_s {
  const ElfW(Dyn) * dynamic; /* NULL: we are part of the program itself */
  uintptr_t base;
} self_t;

static int find_self(struct dl_phdr_info* info, size_t size, void* arg) {
  (void)size;
  self_t* self = arg;
  bool is_self = false;
  const ElfW(Dyn)* dynamic = NULL;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)* segment = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD) is_self |= (uintptr_t)&unload_fn - start < segment->p_memsz;
    if (segment->p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn)*)start;
  }
  if (is_self && info->dlpi_name[0] != 0) *self = (self_t){dynamic, info->dlpi_addr};
  return is_self;
}

/* Whether the program's own scope lacks a name that this library gives. That scope has all that the
   program began with. What is opened later comes there after its constructors (RTLD_GLOBAL), or
   never. */
static bool is_out_of_scope(void) {
  self_t self = {NULL, 0};
  mi_elf_t elf;
  dl_iterate_phdr(find_self, &self);
  if (self.dynamic == NULL || !mi_elf_read_loaded(self.dynamic, self.base, &elf)) return false;
  void* (*open)(const char* library, int mode);
  *(void**)&open = mi_os_symbol("dlopen");
  void* program = open == NULL ? NULL : open(NULL, RTLD_LAZY);
  for (size_t i = 0; program != NULL && i < elf.count; i++) {
    if (!is_given(&elf, i)) continue;
    void* symbol = find(program, elf.names + elf.symbols[i].st_name);
    if (symbol == NULL) {
      if (dlerror != NULL) dlerror(); /* the program is not to find our error */
      return true;
    }
    if ((uintptr_t)symbol == self.base + elf.symbols[i].st_value) return false;
  }
  return false;
}

/* Libraries that the program began with stay to its end. The thread-local memory of a later one
   lies outside of the block that each thread is given at its start; glibc has a function that tells
   how large that block is. But the block has a little room to spare, and glibc puts the memory of a
   later library there if its code relies on that (initial-exec), or would profit from it (TLS
   descriptors, as always on arm64). False where this cannot be found out: the library is taken for
   one that stays. */
static bool was_opened_later(void) {
  static _Thread_local char here;
  void (*static_tls)(size_t * size, size_t * align);
  *(void**)&static_tls = find(RTLD_DEFAULT, "_dl_get_tls_static_info");
  if (static_tls == NULL) return false;
  size_t size;
  size_t align;
  static_tls(&size, &align);
  uintptr_t block = mi_os_thread_id();
  uintptr_t distance =
      (uintptr_t)&here > block ? (uintptr_t)&here - block : block - (uintptr_t)&here;
  return distance > size || is_out_of_scope();
}

/* If the library was opened later, exit calls this before the destructors. dlclose runs the
   destructors first: one of the last, which the compiler adds, calls what the library gave to
   atexit. */
static void at_exit_or_unload(void) {
  void (*fn)(void) = unload_fn;
  unload_fn = NULL;
  if (destructors_have_run) fn();
}

void mi_os_register_unload(void (*fn)(void)) {
  if (MI_NEVER_UNLOADED || !was_opened_later()) return;
  int saved = errno;
  if (atexit(at_exit_or_unload) == 0) unload_fn = fn; /* if it fails, memory stays mapped */
  errno = saved;
}

bool mi_os_destructors_run(void) {
  destructors_have_run = true;
  return unload_fn != NULL;
}
