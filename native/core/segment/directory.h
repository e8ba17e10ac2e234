/* The descriptors of chunks, numbered from 0. They never go away, but one whose chunk was given back is vacant, and may be
   another chunk's. Any thread may call anything here. */
#ifndef MI_DIRECTORY_H
#define MI_DIRECTORY_H

#include "types.h"

/* Until the thread that adds a chunk is done, its descriptor is all zero, or as it was left: no slot in it is free,
   abandoned or due. */
size_t mi_chunk_count(void);
mi_chunk_t* mi_chunk_at(size_t index);

/* A descriptor that no chunk has: vacant, or a new one. False if there is no memory for one, or there are too many. */
bool mi_chunk_descriptor_take(size_t* index);
/* No chunk has it any more. */
void mi_chunk_descriptor_leave(mi_chunk_t* chunk);

/* `count` new descriptors with consecutive numbers. */
bool mi_chunk_descriptors_add(size_t count, size_t* first);

/* Unmaps the descriptors. There are no chunks any more, whatever memory is still mapped. */
mi_cold void mi_chunk_directory_unmap(void);

#endif
