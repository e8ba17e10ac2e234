#include "page/page.h"

#include "os/rare.h"
#include "page/holes.h"

void mi_page_extend(mi_page_t* page, size_t ahead) {
  mi_assert(page->free == NULL && page->capacity < page->reserved);
  size_t block_size = page->block_size;
  bool is_fresh = page->memory_is_zero;
  bool populates = ahead > 0 && is_fresh && page->capacity > 0;
  uint8_t* first = page->start + page->capacity * block_size;
  /* The end of the system pages that the first block touches. */
  uintptr_t end = mi_align_up((uintptr_t)first + block_size, mi_os_page_size());
  if (populates) end += ahead * mi_os_page_size();
  size_t count = (end - (uintptr_t)first) / block_size;
  size_t room = (size_t)(page->reserved - page->capacity);
  if (mi_rare(mi_rare_extend)) count = 1;
  if (count > room) count = room;
  uint8_t* last = first + (count - 1) * block_size;
  if (populates) mi_os_populate(first, last + block_size);
  for (uint8_t* block = first; block < last; block += block_size) {
    mi_block_set_next(page, (mi_block_t*)block, (mi_block_t*)(block + block_size));
  }
  mi_block_set_next(page, (mi_block_t*)last, NULL);
  mi_track_lay_out(page, first, count);
  page->free = (mi_block_t*)first;
  page->capacity = (uint16_t)(page->capacity + count);
  if (is_fresh) page->free_is_zero = true;
}

bool mi_page_set_full(mi_page_t* page) {
  uintptr_t expected = MI_TF_NORMAL;
  /* Release: pairs with the acquire of the push that makes the page BUSY (heap/delayed.c);
     that thread sees page->heap. */
  return atomic_compare_exchange_strong_explicit(&page->thread_free, &expected, MI_TF_FULL,
                                                 memory_order_release, memory_order_relaxed);
}

bool mi_page_clear_full(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  do {
    if (mi_tf_state(word) != MI_TF_FULL) return false;
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word,
                                                  word & ~(uintptr_t)MI_TF_STATE_MASK,
                                                  memory_order_relaxed, memory_order_relaxed));
  return true;
}

bool mi_page_settle(mi_page_t* page) {
  bool cleared = mi_page_clear_full(page);
  for (unsigned round = 0; mi_page_is_busy(page); round++) mi_os_yield(round);
  return cleared;
}

/* Waits until no other thread is at work on the page, and empties thread_free. Returns what it
   was. */
static uintptr_t take_frees(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  unsigned round = 0;
  do {
    while (mi_tf_state(word) == MI_TF_BUSY) {
      mi_os_yield(round++);
      word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
    }
    /* Acquire: pairs with the release with which another thread's work on the page ended. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, MI_TF_NORMAL,
                                                  memory_order_acquire, memory_order_relaxed));
  return word;
}

void mi_page_forget_frees(mi_page_t* page) {
  (void)take_frees(page);
  mi_page_forget_holes(page);
}

void mi_page_end_frees(mi_page_t* page) {
  mi_page_check_end(page, take_frees(page));
  mi_page_forget_holes(page);
}

void mi_page_forget_other_thread(mi_page_t* page, bool held) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  if (mi_tf_state(word) == MI_TF_BUSY) {
    mi_page_forget_looks(page);
    mi_page_forget_holes(page);
    /* If the lost thread was purging the whole page, the word says that it is purged; it may have
       been about to empty the owner's lists (page/scavenge.c). If it was purging some blocks, these
       are lost. */
    if ((word & MI_TF_WHOLE) != 0 && page->reserved > 1) mi_page_leave_lists(page);
    atomic_store_explicit(&page->thread_free, word & ~(uintptr_t)MI_TF_STATE_MASK,
                          memory_order_relaxed);
  }
  /* The lost owner was filling them, whether others have pushed since or not. */
  if (mi_page_holes(page) != 0 &&
      !mi_page_list_is_sound(page, mi_tf_list(word), mi_tf_count(word))) {
    mi_page_forget_holes(page);
  }
  /* The lost thread found the page empty, and has set link to 0. So that the next thread finds it
     empty, too, no block must be left on thread_free. */
  if (held && atomic_load_explicit(&page->link, memory_order_relaxed) == 0)
    mi_page_forget_frees(page);
}
