/* What a port to another system supplies: the mi_prim_ functions below, which only os.c calls, and
   every function of os.h in a section marked "platform". cmake/core.cmake chooses the files.

   On Linux, with glibc or musl:

     linux_memory.c   the mi_prim_ functions, and what the system may do with large pages
     linux_system.c   what the system says of itself and of the process: limits, NUMA nodes, usage
     linux_thread.c   the end of a thread, its identity, waiting for another one, fencing all
     linux_helper.c   the helper thread, and sleeping until a word is woken
     linux_library.c  symbols, and the unloading of the library that we are part of
     linux_clock.c    the time
     linux_process.c  forks, stderr, the environment, random bits

   They share linux.h, for calls of the system, and linux_elf.c, which reads libraries in memory. */
#ifndef MI_PORT_H
#define MI_PORT_H

#include "os/os.h"

/* Each mi_prim_ function does what the mi_os_ function of its name promises, but for the faults
   that tests ask for. */

size_t mi_prim_page_size(void);

/* Zeroed memory at any multiple of the page size. */
void* mi_prim_map(size_t size, mi_map_t kind);
/* Any part of a mapping. If the system cannot unmap it, its memory at least is given back. */
void mi_prim_unmap(void* p, size_t size);
/* Puts a huge page in the place of what is mapped at p. */
mi_cold bool mi_prim_map_huge_page(void* p, int numa_node);

bool mi_prim_commit(void* p, size_t size);
void mi_prim_populate(void* p, size_t size);
mi_purge_result_t mi_prim_purge(void* p, size_t size, bool decommit);
bool mi_prim_resize(void* p, size_t size, size_t new_size);
bool mi_prim_move(void* p, size_t size, void* target, size_t target_size);
bool mi_prim_move_contents(void* p, size_t size, void* target);
bool mi_prim_protect(void* p, size_t size, mi_access_t access);

#endif
