/* The link in a free block. Hardened builds encode it with the page's key, so that a write after
   free is noticed instead of followed; other checked builds notice some. This file is the only code that reads or writes a link. */
#ifndef MI_BLOCK_H
#define MI_BLOCK_H

#include <errno.h>

#include "options/report.h"
#include "segment/track.h"
#include "types.h"

mi_inline bool mi_page_contains(const mi_page_t* page, const mi_block_t* block) {
  return (uintptr_t)block - (uintptr_t)page->start < (size_t)page->reserved * page->block_size;
}

/* Relaxed atomics: who visits or checks a page follows its lists while others change them. */
mi_inline uintptr_t mi_block_word(const mi_block_t* block) {
  mi_os_track_open((void*)block, sizeof(*block));
  uintptr_t word = __atomic_load_n(&block->next, __ATOMIC_RELAXED);
  mi_os_track_close((void*)block, sizeof(*block));
  return word;
}
mi_inline void mi_block_set_word(mi_block_t* block, uintptr_t word) {
  mi_os_track_open(block, sizeof(*block));
  __atomic_store_n(&block->next, word, __ATOMIC_RELAXED);
  mi_os_track_close(block, sizeof(*block));
}

/* Links within the lists of one page. The caller may read the page's fixed fields. */
mi_inline void mi_block_set_next(const mi_page_t* page, mi_block_t* block, const mi_block_t* next) {
#if MI_HARDENED
  mi_block_set_word(block, (uintptr_t)next ^ page->key);
#else
  (void)page;
  mi_block_set_word(block, (uintptr_t)next);
#endif
}

/* The link without its check, for what may be no free block, and for who follows a list that others
   change or that may vanish. */
mi_inline mi_block_t* mi_block_peek_next(const mi_page_t* page, const mi_block_t* block) {
#if MI_HARDENED
  return (mi_block_t*)(mi_block_word(block) ^ page->key);
#else
  (void)page;
  return (mi_block_t*)mi_block_word(block);
#endif
}

/* The block leaves its list. Of what it held, hardened builds leave nothing: it would tell the program the page's key,
   and a block that looks like a free one is looked for on all lists when it is freed. */
mi_inline void mi_block_unlink(mi_block_t* block) {
  if (MI_HARDENED) mi_block_set_word(block, 0);
}

mi_inline void mi_block_report_written(const mi_block_t* block) {
  mi_misuse(EFAULT, "the free block %p was written to after it was freed, or freed twice\n",
            (const void*)block);
}

mi_inline mi_block_t* mi_block_next(const mi_page_t* page, const mi_block_t* block) {
  mi_block_t* next = mi_block_peek_next(page, block);
  if (MI_CHECKED && mi_unlikely(next != NULL && !mi_page_contains(page, next))) {
    mi_block_report_written(block);
  }
  return next;
}

#endif
