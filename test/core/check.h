/* Checks for the core's tests. A check that fails prints where it stands, what it compares and the
   values, and ends the process. */
#ifndef MI_TEST_CHECK_H
#define MI_TEST_CHECK_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checks that x is true. */
#define CHECK(x)                                                      \
  do {                                                                \
    if (!(x)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
      abort();                                                        \
    }                                                                 \
  } while (0)

/* Checks that two integers compare as `op` says. */
#define CHECK_CMP(a, op, b)                                                                  \
  do {                                                                                       \
    intmax_t check_a = (intmax_t)(a);                                                        \
    intmax_t check_b = (intmax_t)(b);                                                        \
    if (!(check_a op check_b)) {                                                             \
      fprintf(stderr, "%s:%d: not so: %s %s %s (%" PRIdMAX " and %" PRIdMAX ")\n", __FILE__, \
              __LINE__, #a, #op, #b, check_a, check_b);                                      \
      abort();                                                                               \
    }                                                                                        \
  } while (0)
#define CHECK_EQ(a, b) CHECK_CMP(a, ==, b)

/* Checks that two pointers compare as `op` says. */
#define CHECK_PTR(a, op, b)                                                                     \
  do {                                                                                          \
    const void* check_a = (a);                                                                  \
    const void* check_b = (b);                                                                  \
    if (!(check_a op check_b)) {                                                                \
      fprintf(stderr, "%s:%d: not so: %s %s %s (%p and %p)\n", __FILE__, __LINE__, #a, #op, #b, \
              check_a, check_b);                                                                \
      abort();                                                                                  \
    }                                                                                           \
  } while (0)

/* Checks that two strings are equal. */
#define CHECK_STR(a, b)                                                                       \
  do {                                                                                        \
    const char* check_a = (a);                                                                \
    const char* check_b = (b);                                                                \
    if (strcmp(check_a, check_b) != 0) {                                                      \
      fprintf(stderr, "%s:%d: not so: %s is \"%s\"\n  but: \"%s\"\n", __FILE__, __LINE__, #a, \
              check_b, check_a);                                                              \
      abort();                                                                                \
    }                                                                                         \
  } while (0)

/* Set by CMake: whether the library under test is a checked one, and how many times slower it is.
   Tests divide their counts by the latter. */
#ifndef TEST_VARIANT_CHECKED
#define TEST_VARIANT_CHECKED 0
#endif
#ifndef TEST_SLOWNESS
#define TEST_SLOWNESS 1
#endif

#endif
