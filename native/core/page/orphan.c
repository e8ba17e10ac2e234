#include "page/orphan.h"

#include "page/page.h"

/* The counts of blocks prove nothing: the lost thread may have changed one of them and not yet the
   other. But a block on a list is free: malloc takes it off before the program has it. Where the
   lost thread was just moving one from one list to the other, the page stays. */
static bool is_free(const mi_page_t* page, uintptr_t word) {
  /* All blocks are on one list, or were. In checked builds the list is followed: a block that was
     freed twice may have been counted in place of one that is alive. */
  if (mi_tf_is_purged(word) || (!MI_CHECKED && (word & MI_TF_WHOLE) != 0)) return true;
  return mi_page_lists_have_all(page, word);
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
