/* Libraries on Linux: what names stand for, and the unloading of the one that we are part of. */
#include <dlfcn.h>
#include <stdlib.h>

#include "os/linux.h"

/* NULL in a static program. */
__attribute__((weak)) void* dlsym(void* handle, const char* name);

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

/* Libraries that the program began with stay to its end. The thread-local memory of a later one
   lies outside of the block that each thread is given at its start; glibc has a function that tells
   how large that block is. False where this cannot be found out: the library is taken for one that
   stays. */
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
  return distance > size;
}

static void (*unload_fn)(void); /* NULL: it will not be called */
static bool destructors_have_run;

/* If the library was opened later, exit calls this before the destructors. dlclose runs the
   destructors first: one of the last, which the compiler adds, calls what the library gave to
   atexit. */
static void at_exit_or_unload(void) {
  void (*fn)(void) = unload_fn;
  unload_fn = NULL;
  if (destructors_have_run) fn();
}

void mi_os_register_unload(void (*fn)(void)) {
  if (!was_opened_later()) return;
  int saved = errno;
  if (atexit(at_exit_or_unload) == 0) unload_fn = fn; /* if it fails, memory stays mapped */
  errno = saved;
}

bool mi_os_destructors_run(void) {
  destructors_have_run = true;
  return unload_fn != NULL;
}
