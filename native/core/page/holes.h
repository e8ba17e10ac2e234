/* Holes: free blocks whose memory went back to the system, with the links in them. They count as
   blocks on thread_free, but are not on its list: page->holes knows them by number. The list is
   never empty as long as there are holes, so it says whether thread_free has blocks. In pages of
   blocks above MI_SMALL_SIZE_MAX, of which none has more than MI_HOLES_MOST.

   So what is free here and there between live blocks takes little memory: of 200 MiB of blocks of 8
   to 32 KiB of which one in ten is left, 37 MiB stay instead of 160 (test/core/rss/scattered.c). */
#ifndef MI_HOLES_H
#define MI_HOLES_H

#include "page/page.h"

enum { MI_HOLES_MOST = 64 };

/* Bit per block that is a hole. Relaxed: it is published with the list; but see add_others in
   heap/visit.c. */
mi_inline uint64_t mi_page_holes(const mi_page_t* page) {
  return atomic_load_explicit(&page->holes, memory_order_relaxed);
}
mi_inline size_t mi_page_hole_count(const mi_page_t* page) {
  return mi_popcount64(mi_page_holes(page));
}

/* Whether the block is a hole. */
mi_inline bool mi_page_is_hole(const mi_page_t* page, const mi_block_t* block) {
  size_t number = mi_page_block_number(page, block);
  return number < MI_HOLES_MOST && (mi_page_holes(page) >> number & 1) != 0;
}

/* Whether the list and the holes are `count` different blocks, as they are unless the program has
   freed one twice, or written to one. For a page that can have holes, whose list this thread has
   taken. */
bool mi_page_list_is_sound(const mi_page_t* page, const mi_block_t* list, size_t count);

/* Purges the system pages that lie in the `count` blocks on thread_free, whose `list` this thread
   has taken as a purge does (page/scavenge.h). The links go with them, and these blocks are holes
   from now on, but for the first one. Returns the list that is left, with the same first block; the
   same list if the program has broken it, or if the page has small blocks after all. */
mi_block_t* mi_page_make_holes(mi_page_t* page, mi_block_t* list, size_t count);

mi_block_t* mi_page_fill_holes_slow(mi_page_t* page, mi_block_t* list, size_t count);
/* Puts the holes at the end of the list, which the owner has taken from thread_free to keep, and
   which has `count` blocks with these. Meanwhile others may push, and purge what they pushed. So
   the holes are the list's only if just as many are missing there; and as long as they are not
   filled, no others are made. */
mi_inline mi_block_t* mi_page_fill_holes(mi_page_t* page, mi_block_t* list, size_t count) {
  return mi_likely(mi_page_holes(page) == 0) ? list : mi_page_fill_holes_slow(page, list, count);
}

#endif
