/* Huge segments: each has one block, above MI_LARGE_BLOCK_MAX or more aligned than a page can give.
   A huge segment of up to 32 MiB, and any in an arena, is a run of slots (segment/run.h), so that
   the next segment of any thread can use its memory. A larger one, one that is aligned to a whole
   segment or more, and one that has grown out of its run, is a mapping of its own. */
#ifndef MI_HUGE_H
#define MI_HUGE_H

#include "segment/segment.h"

/* Makes a huge segment, owned by the calling thread, and returns its page. The block holds an
   address x with at least `size` bytes after it such that x + offset is a multiple of `align` (a
   power of two); x is the first such address in the block. The descriptor is as
   mi_segment_page_alloc returns it; mi_page_take_next lays the block out. The segment lies in
   `arena`. If that is NULL, a block above 32 MiB takes a kept mapping (segment/huge_cache.h) if one
   fits; then any block a run in a shared arena or in a chunk, else a kept or a new mapping. A block
   that is aligned to a whole segment or more goes into no slots: it would not begin next to its
   header. NULL if there is no memory. */
mi_page_t* mi_huge_page_alloc(mi_arena_t* arena, size_t size, size_t align, size_t offset);

/* Has the block of a page that mi_huge_page_alloc has just made read as zero. Returns how many
   bytes, from its start, are still to be cleared. */
size_t mi_huge_page_clear(mi_page_t* page);

/* Frees the segment of a page whose block is not alive. For the owner, or for the thread that freed
   the block of a page in state UNOWNED. */
void mi_huge_page_free(mi_page_t* page);

/* Like mi_segment_table_unpin, but frees the mapping if the segment was removed meanwhile. The
   caller must not read the segment afterwards. */
void mi_huge_unpin(mi_segment_t* segment, size_t place);

/* Gives back the memory of a huge block that a thread other than its owner is freeing; the owner
   will free the rest. The first word stays usable. The segment is a mapping of its own. */
void mi_huge_page_purge(mi_page_t* page);

/* Grows or shrinks the block in place or by moving its pages; the contents stay. Returns the page
   where it is now, with block_size at least `size`. NULL if the system cannot; then nothing has
   changed. With `zero`, what the block gains is zero. For the owner, while the page is in no queue
   and other threads can reach it only through its block. */
mi_page_t* mi_huge_page_resize(mi_page_t* page, size_t size, bool zero);

/* Calls fn for each huge segment. Only where no other thread can make or free one. */
void mi_huge_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg);

/* The block_size that mi_huge_page_alloc gives a block of `size` without special alignment. */
size_t mi_huge_good_size(size_t size);

#endif
