/* A library that needs libmiheap.so, in a program that does not. */
#include <dlfcn.h>

#include "miheap.h"

void* open_deep(const char* file);

void* open_deep(const char* file) {
  mi_free(mi_malloc(100));
  return dlopen(file, RTLD_NOW | RTLD_DEEPBIND);
}
