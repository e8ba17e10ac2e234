/* Checks of the core's tests. A failed one prints where, what and the values, and ends the process. */
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

#define CHECK(x)                                                      \
  do {                                                                \
    if (!(x)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
      abort();                                                        \
    }                                                                 \
  } while (0)

/* Compares two integers, and prints them when the comparison fails. */
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

/* The library under test, and how slow it is: CMake sets both. Counts are divided by the second. */
#ifndef TEST_VARIANT_CHECKED
#define TEST_VARIANT_CHECKED 0
#endif
#ifndef TEST_SLOWNESS
#define TEST_SLOWNESS 1
#endif

#endif
