/* Copies of strings. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "api/alloc.h"
#include "heap/thread.h"

/* A copy of `size` bytes, followed by `terminator` zero bytes. NULL and ENOMEM. */
static void* copy(mi_heap_t* heap, const void* s, size_t size, size_t terminator) {
  char* result = mi_alloc(heap, size + terminator, false);
  if (result == NULL) return NULL;
  memcpy(result, s, size);
  memset(result + size, 0, terminator);
  return result;
}

char* mi_heap_strdup(mi_heap_t* heap, const char* s) mi_attr_noexcept {
  return s == NULL ? NULL : copy(heap, s, strlen(s), 1);
}
char* mi_heap_strndup(mi_heap_t* heap, const char* s, size_t n) mi_attr_noexcept {
  return s == NULL ? NULL : copy(heap, s, strnlen(s, n), 1);
}

char* mi_heap_realpath(mi_heap_t* heap, const char* fname, char* resolved_name) mi_attr_noexcept {
  if (resolved_name != NULL) return realpath(fname, resolved_name);
  /* The C library's own buffer may come from another allocator. */
  char path[PATH_MAX];
  return realpath(fname, path) == NULL ? NULL : mi_heap_strdup(heap, path);
}

char* mi_strdup(const char* s) mi_attr_noexcept { return mi_heap_strdup(mi_heap_default, s); }
char* mi_strndup(const char* s, size_t n) mi_attr_noexcept {
  return mi_heap_strndup(mi_heap_default, s, n);
}
char* mi_realpath(const char* fname, char* resolved_name) mi_attr_noexcept {
  return mi_heap_realpath(mi_heap_default, fname, resolved_name);
}

unsigned char* mi_mbsdup(const unsigned char* s) mi_attr_noexcept {
  return (unsigned char*)mi_strdup((const char*)s);
}

unsigned short* mi_wcsdup(const unsigned short* s) mi_attr_noexcept {
  if (s == NULL) return NULL;
  size_t length = 0;
  while (s[length] != 0) length++;
  return copy(mi_heap_default, s, length * sizeof(*s), sizeof(*s));
}

int mi_dupenv_s(char** buf, size_t* size, const char* name) mi_attr_noexcept {
  if (buf == NULL || name == NULL) return EINVAL;
  const char* value = getenv(name);
  *buf = NULL;
  if (size != NULL) *size = 0;
  if (value == NULL) return 0;
  *buf = mi_strdup(value);
  if (*buf == NULL) return ENOMEM;
  if (size != NULL) *size = strlen(value);
  return 0;
}

int mi_wdupenv_s(unsigned short** buf, size_t* size, const unsigned short* name) mi_attr_noexcept {
  if (buf == NULL || name == NULL) return EINVAL;
  *buf = NULL;
  if (size != NULL) *size = 0;
  return EINVAL;
}
