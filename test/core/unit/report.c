/* What is said, to whom, and how often. */
#include "options/report.h"

#include "check.h"

static char said[4096];
static int lines;
static int errors[8];
static int error_calls;
static char output_argument, error_argument;

static void output(const char* text, void* arg) {
  CHECK_PTR(arg, ==, &output_argument);
  snprintf(said, sizeof(said), "%s", text);
  lines++;
  mi_free(mi_malloc(3000000)); /* callbacks may allocate */
}

static void on_error(int err, void* arg) {
  CHECK_PTR(arg, ==, &error_argument);
  errors[error_calls++ % 8] = err;
  mi_free(mi_malloc(100));
  errno = 99;
}

int main(void) {
  mi_register_output(output, &output_argument);
  mi_register_error(on_error, &error_argument);
  errno = 7;
  mi_message("%d and %s\n", 5, "text");
  CHECK_STR(said, "miheap: 5 and text\n");
  mi_warning("w%d\n", 1);
  CHECK_STR(said, "miheap: warning: w1\n");
  CHECK_EQ(error_calls, 0);
  mi_error(EOVERFLOW, "e%d\n", 1);
  CHECK_STR(said, "miheap: error: e1\n");
  CHECK_EQ(error_calls, 1);
  CHECK_EQ(errors[0], EOVERFLOW);
  CHECK_EQ(errno, 7);

  /* The limits: one of each has been used. The callback is told all the same. */
  mi_option_set(mi_option_max_errors, 3);
  mi_option_set(mi_option_max_warnings, 2);
  lines = 0;
  for (int i = 0; i < 10; i++) mi_error(EINVAL, "again\n");
  CHECK_EQ(lines, 2);
  CHECK_EQ(error_calls, 11);
  lines = 0;
  for (int i = 0; i < 10; i++) mi_warning("again\n");
  CHECK_EQ(lines, 1);
  mi_option_set(mi_option_max_errors, -1);
  lines = 0;
  for (int i = 0; i < 100; i++) mi_error(EINVAL, "again\n");
  CHECK_EQ(lines, 100);
  mi_option_disable(mi_option_show_errors);
  lines = 0;
  mi_error(EINVAL, "quiet\n");
  mi_warning("quiet\n");
  CHECK_EQ(lines, 0);
  CHECK_EQ(errors[(error_calls - 1) % 8], EINVAL);

  /* A line that is too long is cut, not overrun. */
  char longest[2000];
  memset(longest, 'x', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = 0;
  mi_message("%s", longest);
  CHECK_CMP(strlen(said), <, 600);
  CHECK_CMP(strlen(said), >, 200);
  CHECK_STR(said + strlen(said) - 6, "xx…\n");
  /* Not inside of a character. */
  for (int shift = 0; shift < 3; shift++) {
    for (size_t i = 0; i + 3 < sizeof(longest); i += 3) memcpy(longest + i, "…", 3);
    mi_message("%.*s%s", shift, "abc", longest);
    const char* p = said + strlen("miheap: ") + shift;
    while (strncmp(p, "…", 3) == 0) p += 3;
    CHECK_STR(p, "\n");
  }

  mi_register_error(NULL, NULL);
  mi_register_output(NULL, NULL);
  int before = error_calls;
  lines = 0;
  mi_error(EINVAL, "to nobody\n");
  CHECK_EQ(error_calls, before);
  CHECK_EQ(lines, 0);
  return 0;
}
