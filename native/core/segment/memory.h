/* Address space from the system, counted in the statistics, and subject to the options. Any thread
   may call any of these functions. */
#ifndef MI_MEMORY_H
#define MI_MEMORY_H

#include "os/os.h"

/* Like mi_os_map, for our own tables and for what mi_reserve_os_memory was asked for. */
void* mi_memory_map(size_t size, size_t align, mi_map_t kind);
/* Like mi_os_map, for memory that blocks will be in: NULL if disallow_os_alloc is set. */
void* mi_memory_map_for_blocks(size_t size, size_t align, mi_map_t kind);
/* Like mi_os_unmap. */
void mi_memory_unmap(void* p, size_t size);

/* Asks for large pages in a mapping that blocks of all sizes will be in, or for none. Without that,
   where the system makes large pages wherever it can, the first block of each thread has 2 MiB
   resident, and what is purged is filled up again. */
void mi_memory_choose_pages(void* p, size_t size, bool large);

/* How to map memory of which most will never be touched, as the option arena_eager_commit says. If
   it is MI_MAP_RESERVED, mi_os_protect must make the memory writable. */
mi_map_t mi_memory_kind(void);

/* Like mi_os_map_huge_pages. */
mi_cold void*
mi_memory_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped);

/* Like mi_os_purge, as the options purge_decommits and page_reset say. */
mi_purge_result_t mi_memory_purge(void* p, size_t size);
/* Like mi_memory_purge, for the whole system pages between two addresses, if there are any. */
void mi_memory_purge_inside(void* from, void* to);

#endif
