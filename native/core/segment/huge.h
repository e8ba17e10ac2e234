/* Segments of one block above MI_LARGE_BLOCK_MAX, or of one that needs more alignment than a
   page can give. Up to 32 MiB, and in arenas, each is a run of slots (segment/run.h), so that its memory is
   used again by whoever needs some next. A larger one, and one that has grown out of its run, is a
   mapping of its own. */
#ifndef MI_HUGE_H
#define MI_HUGE_H

#include "segment/segment.h"

/* A page that holds one block in which an address x with at least `size` bytes after it exists
   such that x + offset is a multiple of `align` (a power of two); x is the first such address in
   the block. The segment belongs to this thread; the descriptor is as from
   mi_segment_page_alloc, with the block laid out by mi_page_take_next. It lies in `arena`; NULL: in
   a shared arena if it fits into one, in a chunk, or in a mapping. No slots have room for a block that is
   aligned to a whole segment, or to more: such a block would not begin next to its header. NULL if
   there is no memory. */
mi_page_t* mi_huge_page_alloc(mi_arena_t* arena, size_t size, size_t align, size_t offset);

/* Frees the segment of a page whose block is not alive. Any thread that may: the owner, or who
   freed the block of an unowned one. */
void mi_huge_page_free(mi_page_t* page);

/* As mi_segment_table_unpin; gives the segment back if it is now ours. Not to be read afterwards. */
void mi_huge_unpin(mi_segment_t* segment, size_t place);

/* Gives back the memory of a block in a mapping of its own that is being freed by another thread than
   its owner, who will free the rest. The first word stays usable. */
void mi_huge_page_purge(mi_page_t* page);

/* Grows or shrinks the block in place or by moving its pages; the contents stay. Returns the
   page where it is now, with block_size at least `size`; NULL if the system cannot, and nothing
   has changed. With `zero`, what the block gains is zero. For the owner, while the page is in no queue and nobody else can reach it but
   through its block. */
mi_page_t* mi_huge_page_resize(mi_page_t* page, size_t size, bool zero);

/* Calls fn for each huge segment. Only where no other thread can make or free one. */
void mi_huge_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg);

/* The block_size that mi_huge_page_alloc gives a block of `size` without special alignment. */
size_t mi_huge_good_size(size_t size);

#endif
