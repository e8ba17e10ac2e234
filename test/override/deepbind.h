/* What the library of deepbind.c has. */
#ifndef MI_TEST_DEEPBIND_H
#define MI_TEST_DEEPBIND_H

#include <stdbool.h>

enum { DEEPBIND_BLOCKS = 12 };

typedef struct deepbind_plugin_s {
  void (*allocate)(void* blocks[DEEPBIND_BLOCKS]);
  void (*release)(void* blocks[DEEPBIND_BLOCKS]);
  /* Whether it can open a library that lies in its own folder alone. */
  bool (*finds_neighbour)(void);
} deepbind_plugin_t;

#endif
