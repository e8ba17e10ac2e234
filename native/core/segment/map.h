/* From any pointer to what it points into. Two tables, both read without locks:

     chunk map      a byte per 32 MiB of address space: all of that is ours, and readable, so that
                    a segment header may be looked for by masking
     segment table  for each 4 MiB of address space outside of chunks: how much of it is ours, and
                    the segment whose block starts in it: a huge segment, or one in a slot of a
                    chunk that is not whole. There is one at most, since all of these start on
                    4 MiB boundaries */
#ifndef MI_MAP_H
#define MI_MAP_H

#include "bits.h"

/* User addresses have at most 47 bits on x86-64 and 48 on arm64, unless asked for more, which we
   never do. */
#define MI_ADDRESS_BITS 48
#define MI_CHUNK_MAP_SIZE ((size_t)1 << (MI_ADDRESS_BITS - MI_CHUNK_SHIFT))

extern mi_hidden _Atomic(uint8_t) mi_chunk_map[MI_CHUNK_MAP_SIZE];

/* True if p lies in a chunk. False for NULL. Relaxed: a thread that got a pointer from another
   thread got the entry with it. */
mi_inline bool mi_is_in_chunk(const void* p) {
  size_t index = (uintptr_t)p >> MI_CHUNK_SHIFT;
  return mi_likely(index < MI_CHUNK_MAP_SIZE) &&
         atomic_load_explicit(&mi_chunk_map[index], memory_order_relaxed) != 0;
}

/* To be called once, before anything is entered: hardly any of the table will be touched. */
void mi_chunk_map_prepare(void);
/* Enters the chunk at p. False if the address is beyond the map. */
bool mi_chunk_map_add(const void* p);
/* Removes the chunk at p. */
void mi_chunk_map_remove(const void* p);

/* Makes room in the table for `size` bytes from `start` on, which is on a segment boundary. False
   if there is no memory for that, or the addresses are beyond the table. */
bool mi_segment_table_prepare(const void* start, size_t size);
/* Adds a segment, or a slot that is the inside of one: `size` bytes from `segment` on are ours. `p`
   is the first byte of a block that a caller gets there; or `segment`, if it lies in a slot; or
   NULL, if no block starts there. False for lack of memory, but not after mi_segment_table_prepare
   for that range. For any thread that holds that memory. */
bool mi_segment_table_add(const void* p, mi_segment_t* segment, size_t size);
/* Forgets `size` bytes from `start` on, which is on a segment boundary. False if a thread has
   pinned a segment that began there: that thread gives the mapping back. */
bool mi_segment_table_remove(const void* start, size_t size);
/* Forgets the 4 MiB in which p lies, the first byte of a block, before the block's segment is
   changed or moved, and added again. False if a thread has pinned the segment; then nothing has
   changed. */
bool mi_segment_table_try_remove(const void* p);

/* The segment whose block starts in the 4 MiB around p, or NULL. p may be anything. The segment may
   be read only while the caller holds a block in it. */
mi_segment_t* mi_segment_table_find(const void* p);

/* True if p, which may be anything, lies in memory that was added. */
bool mi_segment_table_covers(const void* p);

/* Pins the next huge segment from place *place on, and moves *place beyond it; NULL at the end.
   Until it is unpinned its header may be read, and its block, if that was not freed. For one thread
   at a time; other threads may make and free huge blocks meanwhile. */
mi_segment_t* mi_segment_table_pin(size_t* place);
/* Unpins the segment that mi_segment_table_pin returned with this place. False if it was removed
   meanwhile: its mapping is now the caller's to give back. */
bool mi_segment_table_unpin(size_t place);

/* Calls fn for each segment. Only where no other thread can remove one. */
void mi_segment_table_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg);

/* Unmaps the segment table. From then on nothing can be found in it, or added. */
void mi_segment_table_unmap(void);

#endif
