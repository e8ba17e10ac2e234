/* The descriptors of chunks, numbered from 0. They stay until the library is unloaded. The
   descriptor of a chunk that was given back is vacant, and may become another chunk's. Any thread
   may call any of these functions. */
#ifndef MI_DIRECTORY_H
#define MI_DIRECTORY_H

#include "types.h"

/* The number of descriptors. Until the thread that adds a chunk is done, its descriptor is all
   zero, or as the last chunk left it: no slot in it is free, abandoned or due. */
size_t mi_chunk_count(void);
/* The descriptor with this number, which is below mi_chunk_count(). */
mi_chunk_t* mi_chunk_at(size_t index);

/* Takes a descriptor that no chunk has: a vacant one, or a new one. False if there is no memory for
   one, or there are too many. */
bool mi_chunk_descriptor_take(size_t* index);
/* Makes the descriptor vacant: no chunk has it any more. */
void mi_chunk_descriptor_leave(mi_chunk_t* chunk);

/* Adds `count` new descriptors with consecutive numbers from *first on. False as in
   mi_chunk_descriptor_take. */
bool mi_chunk_descriptors_add(size_t count, size_t* first);

/* Takes back what mi_chunk_descriptors_add did; if others have been added since, they stay, and are
   vacant. */
mi_cold void mi_chunk_descriptors_remove(size_t first, size_t count);

/* Unmaps the descriptors. From then on there are no chunks, whatever memory is still mapped. */
mi_cold void mi_chunk_directory_unmap(void);

#endif
