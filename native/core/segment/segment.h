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

/* The segment of a block that lies in a chunk, or of any page descriptor. */
mi_inline mi_segment_t* mi_segment_of(const void* p) {
  return (mi_segment_t*)((uintptr_t)p & ~(uintptr_t)MI_SEGMENT_MASK);
}

/* Bit per page in use. For the owner, and for a thread that holds a block in the segment. */
mi_inline uint64_t mi_segment_pages(mi_segment_t* segment) {
  return atomic_load_explicit(&segment->pages_used, memory_order_relaxed);
}

/* Like mi_segment_pages, for any other thread, which has pinned the segment to look at the pages.
   Acquire pairs with the release of set_bit: the thread sees that their descriptors were cleared,
   but perhaps nothing later. */
mi_inline uint64_t mi_segment_pages_of_other(mi_segment_t* segment) {
  return atomic_load_explicit(&segment->pages_used, memory_order_acquire);
}

/* The page of a block in the segment: the last page in use that does not begin behind the block. In
   a huge segment page_shift makes that page 0. If p is in no block, the result is any page.
   Relaxed: no page between the block and the start of its page can come or go as long as the block
   is held. */
mi_inline mi_page_t* mi_segment_page_of(mi_segment_t* segment, const void* p) {
  size_t unit = ((uintptr_t)p & MI_SEGMENT_MASK) >> segment->page_shift;
  uint64_t pages = mi_segment_pages(segment) & mi_bits64(0, (unsigned)unit + 1);
  return &segment->pages[mi_bsr64(pages | 1)];
}

mi_inline bool mi_segment_is_huge(const mi_segment_t* segment) { return segment->huge; }

/* The slot of a segment that lies in a chunk; the first one, if that is a run. */
mi_inline mi_slot_ref_t mi_segment_slot(const mi_segment_t* segment) {
  return (mi_slot_ref_t){segment->chunk, segment->slot_index};
}

/* The segment of any block, also of a huge one. NULL if p lies in nothing of ours. */
mi_inline mi_segment_t* mi_segment_find(const void* p) {
  return mi_likely(mi_is_in_chunk(p)) ? mi_segment_of(p) : mi_segment_table_find(p);
}

/* The page of any block. */
mi_inline mi_page_t* mi_page_of(const void* p) { return mi_segment_page_of(mi_segment_find(p), p); }

mi_inline unsigned mi_page_index(const mi_segment_t* segment, const mi_page_t* page) {
  return (unsigned)(page - segment->pages);
}

/* Whether the blocks of a page are above MI_SMALL_SIZE_MAX. For any thread that has pinned the
   segment; a thread other than the owner may get what was true a moment ago. */
mi_inline bool mi_segment_page_is_coarse(mi_segment_t* segment, const mi_page_t* page) {
  uint64_t pages = atomic_load_explicit(&segment->coarse_pages, memory_order_relaxed);
  return (pages >> mi_page_index(segment, page) & 1) != 0;
}

/* To be called when the list in thread_free was taken: no block of the next list has been seen or
   purged. */
mi_inline void mi_page_forget_looks(mi_page_t* page) {
  atomic_store_explicit(&page->seen, 0, memory_order_relaxed);
  atomic_store_explicit(&page->purged, 0, memory_order_relaxed);
}

/* To be called when all blocks of the page are free or lost, or when the holes were filled. */
mi_inline void mi_page_forget_holes(mi_page_t* page) {
  atomic_store_explicit(&page->holes, 0, memory_order_relaxed);
}

/* The id of the thread that owns the segment. Any thread may ask. Relaxed: the answer "mine" cannot
   change behind my back, and any other answer only says that the atomic protocol is to be used. */
mi_inline uintptr_t mi_segment_owner(const mi_segment_t* segment) {
  return atomic_load_explicit(&segment->thread_id, memory_order_relaxed);
}
/* Whether the calling thread owns the segment. Any thread may ask. */
mi_inline bool mi_segment_is_mine(const mi_segment_t* segment) {
  return mi_segment_owner(segment) == mi_os_thread_id();
}

/* Clears the header, in memory that was used before, with the descriptor of the first page.
   thread_id is left alone: it is set last, since another thread may look up a stale pointer here at
   any time. */
mi_inline void mi_segment_clear(mi_segment_t* segment) {
  enum { FIRST = offsetof(mi_segment_t, page_shift), END = offsetof(mi_segment_t, pages[1]) };
  memset((uint8_t*)segment + FIRST, 0, END - FIRST);
}

/* Prepares the header of a segment of this thread, in memory that is in use now. `ref`: its slot,
   or the first one of its run; chunk NULL: a mapping. `page_count`: 1 for a huge segment. `zero`:
   the memory reads as zero. */
void mi_segment_init_header(mi_segment_t* segment, mi_slot_ref_t ref, unsigned page_count,
                            size_t header_size, bool zero);

/* Returns a page for blocks of `block_size`, at most MI_LARGE_BLOCK_MAX, from a segment of this
   thread or a new one. Its descriptor is zero but for start, block_size, reserved, memory_is_zero
   and key. NULL if there is no memory. */
mi_page_t* mi_segment_page_alloc(mi_segments_tld_t* tld, size_t block_size);
/* Like mi_segment_page_alloc, but only from a segment of this thread, and only where the page
   begins in memory that is resident already. NULL if there is no such place. */
mi_page_t* mi_segment_page_alloc_resident(mi_segments_tld_t* tld, size_t block_size);
/* Like mi_segment_page_alloc, but from a new segment in the slot that this thread left last, and
   only where the page begins in resident memory. NULL if that slot is not free, if little of it is
   resident any more, or if it is just being purged. Without this, a thread whose last page
   comes and goes would begin and end a segment each time, in clean memory. */
mi_page_t* mi_segment_page_alloc_left(mi_segments_tld_t* tld, size_t block_size);
/* Like mi_segment_page_alloc, but only from this segment. `only_resident`: only where the page
   begins in resident memory. NULL if there is no such place. */
mi_page_t* mi_segment_page_alloc_in(mi_segments_tld_t* tld, mi_segment_t* segment,
                                    size_t block_size, bool only_resident);

/* Changes the size of the one block of a page of this thread. The block is alive, and stays where
   it is. `block_size` is a class above MI_MEDIUM_BLOCK_MAX, but afterwards the block may be less
   aligned than others of that class. *zero: the added units are all zero. False if the units behind
   the page are not free. */
bool mi_segment_page_resize(mi_segments_tld_t* tld, mi_page_t* page, size_t block_size, bool* zero);

/* Whether mi_segment_page_alloc will most likely succeed without a new segment. */
bool mi_segment_has_free_page(const mi_segments_tld_t* tld, size_t block_size);

/* Gives back a page that has no living block; with the last page of a segment, the segment too. */
void mi_segment_page_free(mi_segments_tld_t* tld, mi_page_t* page);

/* In a forked child: takes back the units that a lost thread was purging or taking. For a segment
   that no lost thread owns, or after mi_segment_forget_ended_pages. */
void mi_segment_restore_units(mi_segment_t* segment);

/* In a forked child, for a segment that a lost thread owned or held, which may have been in the
   middle of making a page, or giving one back. That page is not in use any more afterwards. */
mi_cold void mi_segment_forget_ended_pages(mi_segment_t* segment);

/* Where the memory of the page begins; *size is how much it is. For any thread that holds a block
   in the page. */
uint8_t* mi_segment_page_area(const mi_segment_t* segment, const mi_page_t* page, size_t* size);

#endif
