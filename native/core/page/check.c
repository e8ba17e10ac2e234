/* The walker of a page's invariants, and the tests for double frees. */
#include "options/report.h"
#include "page/holes.h"
#include "page/page.h"

/* The length of a list; capacity + 1 if a block of it does not lie on a block boundary below
   capacity, or the list has a cycle. */
static size_t checked_length(const mi_page_t* page, const mi_block_t* block) {
  size_t bad = (size_t)page->capacity + 1;
  size_t length = 0;
  for (; block != NULL; block = mi_block_next(page, block)) {
    if (!mi_page_begins_block(page, block, page->capacity)) return bad;
    if (++length > page->capacity) return bad;
  }
  return length;
}

static bool contains(const mi_page_t* page, const mi_block_t* list, const mi_block_t* block) {
  size_t steps = 0;
  for (; list != NULL && steps <= page->capacity; list = mi_block_next(page, list), steps++) {
    if (list == block) return true;
  }
  return false;
}

static bool lists_are_disjoint(const mi_page_t* page) {
  for (const mi_block_t* block = page->free; block != NULL; block = mi_block_next(page, block)) {
    if (contains(page, page->local_free, block)) return false;
  }
  return true;
}

bool mi_page_is_valid(mi_page_t* page) {
  size_t free = checked_length(page, page->free);
  size_t local = checked_length(page, page->local_free);
  if (page->capacity > page->reserved || mi_page_used(page) > page->capacity) return false;
  if (mi_page_used(page) + free + local != page->capacity) return false;
  if (!mi_is_aligned(page->start, mi_lowest_bit(page->block_size) < 64 ? MI_WORD_SIZE : 64))
    return false;
  uint64_t holes = mi_page_holes(page);
  if (holes != 0 && (!mi_page_is_coarse(page) || mi_bsr64(holes) >= page->capacity)) return false;
  bool in_full = page->in_full;
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  /* The block of a page of one block is on `free` only during a visit, or if the page is kept. */
  if (in_full && page->reserved > 1 && page->free != NULL) return false;
  if (mi_tf_state(word) == MI_TF_FULL) {
    if (!in_full || mi_tf_count(word) >= mi_page_quota(page)) return false;
  }
  if (mi_page_is_shared(page) && (free + local != 0 || page->capacity != page->reserved))
    return false;
  if ((word & MI_TF_WHOLE) != 0) {
    size_t count = mi_tf_list(word) == NULL ? page->reserved : mi_tf_count(word);
    if (count != page->reserved || mi_page_used(page) != count) return false;
  }
  if (mi_tf_count(word) > mi_page_used(page)) return false;
  /* Other threads may push meanwhile, but only in front: the list from this block on does not
     change. It may change where page/scavenge.h may be at work: in pages of blocks above
     MI_SMALL_SIZE_MAX, and in pages that may have all their blocks on thread_free. */
  bool stays =
      !mi_page_is_coarse(page) && (free != 0 || local != 0 || page->capacity != page->reserved);
  if (stays && checked_length(page, mi_tf_list(word)) != mi_tf_count(word)) return false;
  return page->capacity > 256 || lists_are_disjoint(page);
}

/* Whether the block is on thread_free. Other threads may push there meanwhile, or purge the blocks
   with their links. */
static bool is_with_others(const mi_page_t* page, const mi_block_t* block) {
  /* Acquire: pairs with the release of each push. */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  const mi_block_t* list = mi_tf_list(word);
  for (size_t left = mi_tf_count(word); left > 0 && mi_page_contains(page, list); left--) {
    if (list == block) return true;
    list = mi_block_peek_next(page, list);
  }
  return false;
}

bool mi_page_block_is_free(const mi_page_t* page, const mi_block_t* block) {
  /* All blocks are free, and may be purged. Relaxed: other threads cannot set WHOLE while a block
     is alive. */
  if ((atomic_load_explicit(&page->thread_free, memory_order_relaxed) & MI_TF_WHOLE) != 0)
    return true;
  if (mi_page_is_hole(page, block)) return true; /* it has no link */
  /* A free block begins with a link: NULL, or a block of this page. Few live blocks do. */
  const mi_block_t* next = mi_block_peek_next(page, block);
  if (next != NULL && !mi_page_begins_block(page, next, page->capacity)) return false;
  return contains(page, page->free, block) || contains(page, page->local_free, block) ||
         is_with_others(page, block);
}

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

/* False if the list has what is no block, or was found before. */
static bool find_list(found_t* found, const mi_page_t* page, const mi_block_t* block) {
  for (; block != NULL; block = mi_block_peek_next(page, block)) {
    if (!mi_page_begins_block(page, block, page->capacity)) return false;
    if (!find(found, mi_page_block_number(page, block))) return false;
  }
  return true;
}

static bool find_holes(found_t* found, uint64_t holes) {
  for (; holes != 0; holes &= holes - 1) {
    if (!find(found, mi_ctz64(holes))) return false;
  }
  return true;
}

bool mi_page_lists_have_all(const mi_page_t* page, uintptr_t word) {
  found_t found = {{0}, 0};
  return find_list(&found, page, page->free) && find_list(&found, page, page->local_free) &&
         find_list(&found, page, mi_tf_list(word)) && find_holes(&found, mi_page_holes(page)) &&
         found.count == page->capacity;
}

void mi_page_check_end_slow(const mi_page_t* page, uintptr_t word) {
  if (page->reserved == 1 || mi_tf_is_purged(word) || mi_page_lists_have_all(page, word)) return;
  mi_misuse_later(EFAULT, "a block of it was freed twice, or written to after it was freed",
                  page->start);
}
