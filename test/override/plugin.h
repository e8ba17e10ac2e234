/* What plugin.cc offers. */
#ifndef MI_TEST_PLUGIN_H
#define MI_TEST_PLUGIN_H

#include <stddef.h>

/* Allocates, frees, and replaces `count` blocks that the last caller left. 0: well. */
typedef int plugin_work_t(void** exchanged, int count);
/* Frees those blocks. */
typedef void plugin_release_t(void** exchanged, int count);
/* A block that is left alive. */
typedef void* plugin_keep_t(size_t size);

#endif
