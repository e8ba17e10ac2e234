/* The link in a free block. This file is the only code that reads or writes a link. Hardened builds
   encode it with the page's key, so that a write to a freed block is noticed instead of followed.
   Other checked builds notice some such writes. */
#ifndef MI_BLOCK_H
#define MI_BLOCK_H

#include <errno.h>

#include "options/report.h"
#include "segment/track.h"
#include "types.h"

/* Whether the address lies in the page's blocks, laid out or not. */
mi_inline bool mi_page_contains(const mi_page_t* page, const mi_block_t* block) {
  return (uintptr_t)block - (uintptr_t)page->start < (size_t)page->reserved * page->block_size;
}

/* The word of a free block, as it is stored. A relaxed atomic: threads that visit or check a page
   follow its lists while other threads change them. */
mi_inline uintptr_t mi_block_word(const mi_block_t* block) {
  return mi_os_track_load(&block->next);
}
/* Stores the word. Relaxed: see mi_block_word. */
mi_inline void mi_block_set_word(mi_block_t* block, uintptr_t word) {
  mi_os_track_store(&block->next, word);
}

/* Links `block` to `next`, a block of the same page, or NULL. For any thread that may read the
   page's fixed fields, such as `key`. */
mi_inline void mi_block_set_next(const mi_page_t* page, mi_block_t* block, const mi_block_t* next) {
#if MI_HARDENED
  mi_block_set_word(block, (uintptr_t)next ^ page->key);
#else
  (void)page;
  mi_block_set_word(block, (uintptr_t)next);
#endif
}

/* The link, unchecked: for a block that may not be free, and for a list that other threads may
   change or purge while the caller follows it. */
mi_inline mi_block_t* mi_block_peek_next(const mi_page_t* page, const mi_block_t* block) {
#if MI_HARDENED
  return (mi_block_t*)(mi_block_word(block) ^ page->key);
#else
  (void)page;
  return (mi_block_t*)mi_block_word(block);
#endif
}

/* For a block that leaves its list. Hardened builds clear its link: it would tell the program the
   page's key, and when the program frees a block that looks like a free one, all lists of the page
   are searched for it. */
mi_inline void mi_block_unlink(mi_block_t* block) {
  if (MI_HARDENED) mi_block_set_word(block, 0);
}

mi_inline void mi_block_report_written(const mi_block_t* block) {
  mi_misuse(EFAULT, "the free block %p was written to after it was freed, or freed twice\n",
            (const void*)block);
}

/* The link. Checked builds report one that leads out of the page. */
mi_inline mi_block_t* mi_block_next(const mi_page_t* page, const mi_block_t* block) {
  mi_block_t* next = mi_block_peek_next(page, block);
  if (MI_CHECKED && mi_unlikely(next != NULL && !mi_page_contains(page, next))) {
    mi_block_report_written(block);
  }
  return next;
}

#endif
