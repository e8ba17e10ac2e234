/* Copies of strings. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "miheap.h"

static char* copy(const char* s, size_t length) {
  char* result = mi_malloc(length + 1);
  if (result == NULL) return NULL;
  memcpy(result, s, length);
  result[length] = 0;
  return result;
}

char* mi_strdup(const char* s) mi_attr_noexcept { return s == NULL ? NULL : copy(s, strlen(s)); }
char* mi_strndup(const char* s, size_t n) mi_attr_noexcept {
  return s == NULL ? NULL : copy(s, strnlen(s, n));
}

char* mi_realpath(const char* fname, char* resolved_name) mi_attr_noexcept {
  if (resolved_name != NULL) return realpath(fname, resolved_name);
  /* The C library's own buffer may come from another allocator. */
  char path[PATH_MAX];
  return realpath(fname, path) == NULL ? NULL : mi_strdup(path);
}
