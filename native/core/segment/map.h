/* From any pointer to what it points into. Two tables, both read without locks:

   chunk map        a byte per 32 MiB of address space: all of that is ours, and readable, so that
                    a segment header may be looked for by masking
   segment table    for each 4 MiB of address space outside of chunks, how much of it is ours, and the
                    segment there if it is the place where its block starts: a huge one, or one in
                    a slot of a chunk that is not whole. At most one does, since all of these start
                    on 4 MiB boundaries */
#ifndef MI_MAP_H
#define MI_MAP_H

#include "bits.h"

/* User addresses have at most 47 bits on x86-64 and 48 on arm64, unless asked for more, which we
   never do. */
#define MI_ADDRESS_BITS 48
#define MI_CHUNK_MAP_SIZE ((size_t)1 << (MI_ADDRESS_BITS - MI_CHUNK_SHIFT))

extern mi_hidden _Atomic(uint8_t) mi_chunk_map[MI_CHUNK_MAP_SIZE];

/* True if p lies in a chunk. False for NULL. Relaxed: who got a pointer from another thread got the
   entry with it. */
mi_inline bool mi_is_in_chunk(const void* p) {
  size_t index = (uintptr_t)p >> MI_CHUNK_SHIFT;
  return mi_likely(index < MI_CHUNK_MAP_SIZE) &&
         atomic_load_explicit(&mi_chunk_map[index], memory_order_relaxed) != 0;
}

/* False if the address is beyond the map. */
bool mi_chunk_map_add(const void* p);
void mi_chunk_map_remove(const void* p);

/* Any thread that holds that memory. `size` bytes from the segment on are ours, and `p` in them is
   the first byte of a block that a caller gets, or of a slot (then p is the segment); NULL: none
   starts there. Add fails for lack of memory; after prepare for that range it cannot. */
bool mi_segment_table_prepare(const void* start, size_t size);
bool mi_segment_table_add(const void* p, mi_segment_t* segment, size_t size);
/* Forgets what begins in these bytes, which start on a segment boundary. False if somebody has
   pinned a segment there: its mapping is theirs to give back. */
bool mi_segment_table_remove(const void* start, size_t size);
/* Forgets where p, a block's first byte, begins, before that block's segment is changed or moved and
   added again. False if somebody has pinned it; then nothing has changed. */
bool mi_segment_table_try_remove(const void* p);

/* What the table has for the 4 MiB around p, or NULL. p may be anything. What it is may be read
   only while the caller holds a block in it. */
mi_segment_t* mi_segment_table_find(const void* p);

/* True if p lies in memory that was added, wherever. */
bool mi_segment_table_covers(const void* p);

/* Pins the next huge segment from place *place on, and moves *place beyond it; NULL at the end.
   Until it is unpinned its header may be read, and its block, if the block was not freed. One thread
   at a time. Any thread may be making and freeing huge blocks meanwhile. */
mi_segment_t* mi_segment_table_pin(size_t* place);
/* False if the segment was removed meanwhile, and is now the caller's. */
bool mi_segment_table_unpin(size_t place);

/* Calls fn for each segment. Only where no other thread can remove one. */
void mi_segment_table_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg);

/* Unmaps the segment table. Nothing can be found in it any more, nor added. */
void mi_segment_table_unmap(void);

#endif
