/* Address space from the system, counted and subject to the options. */
#ifndef MI_MEMORY_H
#define MI_MEMORY_H

#include "os/os.h"

/* As mi_os_map, for our own tables and for what was asked for by mi_reserve_os_memory. Any
   thread. */
void* mi_memory_map(size_t size, size_t align, mi_map_t kind);
/* The same for memory that blocks will be in: NULL when disallow_os_alloc is set. */
void* mi_memory_map_for_blocks(size_t size, size_t align, mi_map_t kind);
void mi_memory_unmap(void* p, size_t size);

/* How to map memory of which most will never be touched: as the option arena_eager_commit says. If MI_MAP_RESERVED,
   mi_os_protect must make it writable. */
mi_map_t mi_memory_kind(void);

/* As mi_os_map_huge_pages. */
mi_cold void*
mi_memory_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped);

/* As mi_os_purge, as the options purge_decommits and page_reset say. */
mi_purge_t mi_memory_purge(void* p, size_t size);
/* The same for the whole system pages between two addresses, if there are any. */
void mi_memory_purge_inside(void* from, void* to);

#endif
