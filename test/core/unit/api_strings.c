#include <limits.h>
#include <unistd.h>

#include "check.h"
#include "miheap.h"

int main(void) {
  char* s = mi_strdup("abc");
  CHECK_STR(s, "abc");
  CHECK_CMP(mi_usable_size(s), >=, 4);
  mi_free(s);
  s = mi_strdup("");
  CHECK_STR(s, "");
  mi_free(s);
  CHECK_PTR(mi_strdup(NULL), ==, NULL);
  CHECK_PTR(mi_strndup(NULL, 3), ==, NULL);
  const char unterminated[3] = {'x', 'y', 'z'};
  s = mi_strndup(unterminated, 3);
  CHECK_STR(s, "xyz");
  mi_free(s);
  s = mi_strndup("abc", 100);
  CHECK_STR(s, "abc");
  mi_free(s);
  s = mi_strndup("abc", 0);
  CHECK_STR(s, "");
  mi_free(s);

  char expected[PATH_MAX];
  CHECK(getcwd(expected, sizeof(expected)) != NULL);
  s = mi_realpath(".", NULL);
  CHECK_STR(s, expected);
  CHECK_CMP(mi_usable_size(s), >=, strlen(s) + 1);
  mi_free(s);
  char own[PATH_MAX];
  CHECK_PTR(mi_realpath("./.", own), ==, own);
  CHECK_STR(own, expected);
  errno = 0;
  CHECK_PTR(mi_realpath("does/not/exist", NULL), ==, NULL);
  CHECK_EQ(errno, ENOENT);
  return 0;
}
