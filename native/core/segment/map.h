/* From any pointer to what it points into. Two tables, both read without locks:

   the chunk map    a byte per 32 MiB of address space: memory there is ours, and readable, so that
                    a segment header may be looked for by masking
   the huge table   for each 4 MiB of address space, the huge segment whose block starts there; at most
                    one does, since such segments start on 4 MiB boundaries */
#ifndef MI_MAP_H
#define MI_MAP_H

#include "bits.h"

/* User addresses have at most 47 bits on x86-64 and 48 on arm64, unless asked for more, which we never do. */
#define MI_ADDRESS_BITS 48
#define MI_CHUNK_MAP_SIZE ((size_t)1 << (MI_ADDRESS_BITS - MI_CHUNK_SHIFT))

extern _Atomic(uint8_t) mi_chunk_map[MI_CHUNK_MAP_SIZE];

/* True if p lies in a chunk. False for NULL. Relaxed: who got a pointer from another thread got the
   entry with it. */
mi_inline bool mi_is_in_chunk(const void* p) {
  size_t index = (uintptr_t)p >> MI_CHUNK_SHIFT;
  return mi_likely(index < MI_CHUNK_MAP_SIZE) &&
         atomic_load_explicit(&mi_chunk_map[index], memory_order_relaxed) != 0;
}

/* False if the address is beyond the map. */
bool mi_chunk_map_add(const void* p);

/* Any thread. `block` is the first byte that a caller gets. Add fails for lack of memory. */
bool mi_huge_table_add(const void* block, mi_segment_t* segment);
void mi_huge_table_remove(const void* block);

/* The segment whose block starts in the 4 MiB around p, or NULL. p may be anything. The segment may be
   read only while its block is alive. */
mi_segment_t* mi_huge_table_find(const void* p);

#endif
