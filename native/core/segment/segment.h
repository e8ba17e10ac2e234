/* Segments and the pages in them. Unless said otherwise a function is for the segment's owner
   only. */
#ifndef MI_SEGMENT_H
#define MI_SEGMENT_H

#include <string.h>

#include "options/report.h"
#include "os/os.h"
#include "segment/cookie.h"
#include "segment/map.h"
#include "segment/slot.h"

/* The segment of a block that lies in a chunk; also that of any page descriptor. */
mi_inline mi_segment_t* mi_segment_of(const void* p) {
  return (mi_segment_t*)((uintptr_t)p & ~(uintptr_t)MI_SEGMENT_MASK);
}

/* Bit per page in use; the owner, and who holds a block there. */
mi_inline uint64_t mi_segment_pages(mi_segment_t* segment) {
  return atomic_load_explicit(&segment->pages_used, memory_order_relaxed);
}

/* The same for any other thread that has pinned the segment, to look at each: it sees that their descriptors were
   cleared, if no more. */
mi_inline uint64_t mi_segment_pages_of_other(mi_segment_t* segment) {
  return atomic_load_explicit(&segment->pages_used, memory_order_acquire);
}

/* The page of a block in the segment: the last one in use that begins not behind it. A huge segment has the
   page_shift that always gives page 0. Of what is no block, any page. Relaxed: no page between the block and the
   start of its page can come or go as long as the block is held. */
mi_inline mi_page_t* mi_segment_page_of(mi_segment_t* segment, const void* p) {
  size_t unit = ((uintptr_t)p & MI_SEGMENT_MASK) >> segment->page_shift;
  uint64_t pages = mi_segment_pages(segment) & mi_bits64(0, (unsigned)unit + 1);
  return &segment->pages[mi_bsr64(pages | 1)];
}

mi_inline bool mi_segment_is_huge(const mi_segment_t* segment) { return segment->huge; }

/* Where a segment of a chunk lies. */
mi_inline mi_slot_ref_t mi_segment_slot(const mi_segment_t* segment) {
  return (mi_slot_ref_t){segment->chunk, segment->slot_index};
}

/* The segment of any block, also of a huge one; NULL if p lies in nothing of ours. */
mi_inline mi_segment_t* mi_segment_find(const void* p) {
  return mi_likely(mi_is_in_chunk(p)) ? mi_segment_of(p) : mi_segment_table_find(p);
}

/* The page of any block. */
mi_inline mi_page_t* mi_page_of(const void* p) { return mi_segment_page_of(mi_segment_find(p), p); }

mi_inline unsigned mi_page_index(const mi_segment_t* segment, const mi_page_t* page) {
  return (unsigned)(page - segment->pages);
}

/* Whether the blocks of a page are above MI_SMALL_BLOCK_MAX; any thread that has pinned the segment. To others than
   the owner it may be what was true a moment ago. */
mi_inline bool mi_segment_page_is_long(mi_segment_t* segment, const mi_page_t* page) {
  uint64_t pages = atomic_load_explicit(&segment->long_pages, memory_order_relaxed);
  return (pages >> mi_page_index(segment, page) & 1) != 0;
}

/* The list that thread_free was is gone: nothing of the next one has been seen, or purged. */
mi_inline void mi_page_forget_looks(mi_page_t* page) {
  atomic_store_explicit(&page->seen, 0, memory_order_relaxed);
  atomic_store_explicit(&page->purged, 0, memory_order_relaxed);
}

/* Any thread may ask. Relaxed: the answer "mine" cannot change behind my back, and any other
   answer only says that the atomic protocol is to be used. */
mi_inline uintptr_t mi_segment_owner(const mi_segment_t* segment) {
  return atomic_load_explicit(&segment->thread_id, memory_order_relaxed);
}
mi_inline bool mi_segment_is_mine(const mi_segment_t* segment) {
  return mi_segment_owner(segment) == mi_os_thread_id();
}

/* Clears the header in used memory, with the descriptor of its first page. thread_id is left: it is set last, since a
   stale pointer may be looked up here by another thread at any time. */
mi_inline void mi_segment_clear(mi_segment_t* segment) {
  enum { FIRST = offsetof(mi_segment_t, page_shift), END = offsetof(mi_segment_t, pages[1]) };
  memset((uint8_t*)segment + FIRST, 0, END - FIRST);
}

/* Prepares the header of a segment of this thread in memory that is in use now; page_count 1: of a huge one. `ref`: the
   slot, or the first one of a run; chunk NULL: a mapping. `zero`: the memory reads as zero. */
void mi_segment_init_header(mi_segment_t* segment, mi_slot_ref_t ref, unsigned page_count,
                            size_t header_size, bool zero);

/* A page for blocks of `block_size`, at most MI_LARGE_BLOCK_MAX, from a segment of this thread
   or a new one. Its descriptor is zero but for start, block_size, reserved, memory_is_zero, key. NULL and
   ENOMEM if there is no memory. */
mi_page_t* mi_segment_page_alloc(mi_segments_tld_t* tld, size_t block_size);
/* The same from a segment of this thread, and beginning where memory is resident already; NULL if there is no
   such place. */
mi_page_t* mi_segment_page_alloc_resident(mi_segments_tld_t* tld, size_t block_size);
/* The same in a new segment in the slot that this thread left last; NULL if that is not free, or not much of it is
   resident any more, or is just being purged. For pages that are retired: else a malloc and its free could begin and
   end a segment each time. */
mi_page_t* mi_segment_page_alloc_left(mi_segments_tld_t* tld, size_t block_size);
/* A page from this segment; `only_resident`: if it begins where memory is resident. */
mi_page_t* mi_segment_page_alloc_in(mi_segments_tld_t* tld, mi_segment_t* segment,
                                    size_t block_size, bool only_resident);

/* Changes the size of the one block that a page of this thread has, which is alive, where it is. `block_size` is a
   class above MI_MEDIUM_BLOCK_MAX, but the block may then be less aligned than others of that class. *zero: the units
   that are added are all zero. False if the units behind the page are not free. */
bool mi_segment_page_resize(mi_segments_tld_t* tld, mi_page_t* page, size_t block_size, bool* zero);

/* Whether mi_segment_page_alloc will most likely do without a new segment. */
bool mi_segment_has_free_page(const mi_segments_tld_t* tld, size_t block_size);

/* Gives back a page no block of which is alive. Its segment goes too when it was the last one. */
void mi_segment_page_free(mi_segments_tld_t* tld, mi_page_t* page);

/* In a forked child: takes back the units that a thread which is not there was purging. For a
   segment of this thread, or of nobody. */
void mi_segment_restore_units(mi_segment_t* segment);

/* In a forked child: of the pages of a segment that nobody owns, one may be half given back, by a thread that is not
   there. It is not in use from then on. */
mi_cold void mi_segment_forget_ended_pages(mi_segment_t* segment);

/* Where the memory of the page begins and ends; any thread that holds a block in it. */
uint8_t* mi_segment_page_area(const mi_segment_t* segment, const mi_page_t* page, size_t* size);

#endif
