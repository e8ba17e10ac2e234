#include "page/orphan.h"

#include "page/holes.h"

/* Blocks of a page, by number, that are known to be free. */
typedef struct found_s {
  uint64_t blocks[MI_UNIT_SIZE / MI_WORD_SIZE / 64];
  size_t count;
} found_t;

/* False if the block was found before. */
static bool find(found_t* found, size_t number) {
  uint64_t bit = (uint64_t)1 << number % 64;
  if ((found->blocks[number / 64] & bit) != 0) return false;
  found->blocks[number / 64] |= bit;
  found->count++;
  return true;
}

/* False if the list has what is no block, or was found before: the lost thread was just moving it
   from one list to the other, or the program has written to it. */
static bool find_list(found_t* found, const mi_page_t* page, const mi_block_t* block) {
  for (; block != NULL; block = mi_block_peek_next(page, block)) {
    size_t offset = (size_t)((const uint8_t*)block - page->start);
    if (offset >= page->capacity * page->block_size || offset % page->block_size != 0) return false;
    if (!find(found, offset / page->block_size)) return false;
  }
  return true;
}

static bool find_holes(found_t* found, uint64_t holes) {
  for (; holes != 0; holes &= holes - 1) {
    if (!find(found, mi_ctz64(holes))) return false;
  }
  return true;
}

/* The counts of blocks prove nothing: the lost thread may have changed one of them and not yet the
   other. But a block on a list is free: malloc takes it off before the program has it. */
static bool is_free(const mi_page_t* page, uintptr_t word) {
  /* All blocks are on one list, or were. In checked builds the list is followed: a block that was
     freed twice may have been counted in place of one that is alive. */
  if (mi_tf_is_purged(word) || (!MI_CHECKED && (word & MI_TF_WHOLE) != 0)) return true;
  found_t found = {{0}, 0};
  return find_list(&found, page, page->free) && find_list(&found, page, page->local_free) &&
         find_list(&found, page, mi_tf_list(word)) && find_holes(&found, mi_page_holes(page)) &&
         found.count == page->capacity;
}

bool mi_page_forget_if_free(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  /* Most pages have live blocks. Where this is wrong, the page stays. */
  if (mi_page_used(page) > mi_tf_count(word) && !mi_tf_is_purged(word)) return false;
  if (!is_free(page, word)) return false;
  mi_page_forget_frees(page);
  page->used = 0;
  page->uncounted = 0;
  /* The lost thread may have written links beyond `capacity`, which it would have raised next. */
  page->memory_is_zero = false;
  return true;
}
