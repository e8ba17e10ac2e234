/* Address space from the system, counted and subject to the options. */
#ifndef MI_MEMORY_H
#define MI_MEMORY_H

#include "os/os.h"

/* As mi_os_map, but NULL when disallow_os_alloc is set. Any thread. */
void* mi_memory_map(size_t size, size_t align, mi_map_t kind);
void mi_memory_unmap(void* p, size_t size);

/* As mi_os_purge, as the options purge_decommits and page_reset say. */
mi_purge_t mi_memory_purge(void* p, size_t size);

#endif
