/* Memory that is reserved in advance, and becomes an arena: what the program asks for
   (api/arena.c), and what the options ask for when the process begins. miheap.h says what the
   arguments mean. Any thread. errno is left alone. */
#ifndef MI_RESERVE_H
#define MI_RESERVE_H

#include "types.h"

/* Reserves `size` bytes. Returns 0 or ENOMEM. */
int mi_reserve_memory(size_t size, bool commit, bool allow_large, bool exclusive,
                      mi_arena_id_t* arena_id);

/* Reserves up to so many huge pages; *reserved is how many. Returns 0 or ENOMEM. */
int mi_reserve_huge_pages(size_t pages, int numa_node, size_t timeout_ms, bool exclusive,
                          mi_arena_id_t* arena_id, size_t* reserved);
/* Divides the pages and the time over the first `nodes` nodes; 0: over all. */
int mi_reserve_huge_pages_on(size_t nodes, size_t pages, size_t timeout_ms, size_t* reserved);

/* Does what the options reserve_huge_os_pages and reserve_os_memory say, once for each. Called when
   the options are first read, and again when the environment is certain to have been set up. */
void mi_reserve_as_options_say(void);

#endif
