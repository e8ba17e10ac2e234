/* Where one block of 33 to 128 KiB comes and goes, such as a buffer for a file, to make a page and
   end it each time took three times as long (bench/NOTES.md). One page is kept, not one of each
   class, since all sizes have use for the memory of long pages. */
#include "heap/single.h"

#include "heap/queue.h"
#include "heap/retire.h"
#include "page/page.h"
#include "segment/place.h"

void mi_heap_add_single(mi_heap_t* heap, mi_page_t* page) {
  /* No other thread knows the page. Release: as in mi_page_set_full. */
  atomic_store_explicit(&page->thread_free, MI_TF_FULL, memory_order_release);
  page->in_full = true;
  mi_heap_add_page(heap, page, false);
}

/* Whether the page's block is aligned as those of `block_size` are. Not so if a realloc changed the
   size of the page. */
static bool is_aligned_for(const mi_page_t* page, size_t block_size) {
  return mi_is_aligned(page->start, mi_lowest_bit(block_size));
}

/* Only the backing heap: a program may have thousands of others, which lie idle. Not during a
   visit: a visitor must not find the page with a block of another size. Nor if no memory is to
   wait. */
bool mi_heap_may_keep_single(const mi_heap_t* heap, const mi_page_t* page) {
  return heap == &heap->tld->backing && page->bin != MI_BIN_HUGE &&
         page->block_size <= MI_SINGLE_BLOCK_MAX && !heap->visiting &&
         mi_option_get(mi_option_purge_delay) != 0;
}

void mi_heap_keep_single(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(mi_page_is_empty(page) && !mi_page_is_notifying(page));
  if (heap->single != NULL) mi_heap_free_page(heap, heap->single);
  mi_heap_remove_page(heap, page);
  page->in_full = false;
  mi_page_set_flag(page, MI_PAGE_UNUSED, true);
  mi_heap_add_page(heap, page, false);
  heap->single = page;
}

mi_page_t* mi_heap_take_single(mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = heap->single;
  size_t block_size = mi_bin_block_size(bin);
  if (page == NULL || heap->visiting ||
      mi_units_for(page->block_size) != mi_units_for(block_size) ||
      !is_aligned_for(page, block_size)) {
    return NULL;
  }
  mi_heap_remove_page(heap, page);
  mi_page_start_anew(page);
  page->adopted = false;
  page->block_size = block_size;
  page->bin = (uint8_t)bin;
  mi_page_set_flag(page, MI_PAGE_UNUSED | MI_PAGE_HAS_ALIGNED, false);
  if (MI_TRACK) mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  mi_heap_add_single(heap, page);
  return page;
}
