/* Where blocks of 33 to 256 KiB come and go, such as buffers for files, to make a page and end it
   each time took three times as long (bench/NOTES.md). A few pages are kept, not one of each class,
   since all sizes have use for the memory of long pages. */
#include "heap/single.h"

#include "heap/queue.h"
#include "heap/retire.h"
#include "page/page.h"
#include "segment/place.h"

void mi_heap_add_single(mi_heap_t* heap, mi_page_t* page) {
  mi_page_set_full_alone(page);
  page->in_full = true;
  mi_heap_add_page(heap, page, false);
}

/* Only the backing heap: a program may have thousands of others, which lie idle. Not during a
   visit: a visitor must not find the page with a block of another size. Nor if no memory is to
   wait. */
bool mi_heap_may_keep_single(const mi_heap_t* heap, const mi_page_t* page) {
  return page->block_size <= MI_SINGLE_BLOCK_MAX && page->bin != MI_BIN_HUGE &&
         heap == &heap->tld->backing && !heap->visiting &&
         mi_option_get(mi_option_purge_delay) != 0;
}

void mi_heap_keep_single(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(mi_page_is_empty(page) && page->in_full && heap->single_count < MI_SINGLES);
  mi_page_set_flag(page, MI_PAGE_UNUSED, true);
  heap->singles[heap->single_count++] = page;
}

void mi_heap_forget_single(mi_heap_t* heap, const mi_page_t* page) {
  mi_page_t** place = heap->singles;
  while (*place != page) place++;
  mi_page_t** last = &heap->singles[--heap->single_count];
  for (; place < last; place++) *place = place[1];
}

static bool fits(const mi_page_t* page, size_t block_size) {
  /* Of a page whose size realloc changed, the block may be less aligned than others of its
     class. */
  return mi_units_for(page->block_size) == mi_units_for(block_size) &&
         mi_is_aligned(page->start, mi_lowest_bit(block_size));
}

mi_page_t* mi_heap_take_single(mi_heap_t* heap, unsigned bin) {
  if (heap->visiting) return NULL;
  size_t block_size = mi_bin_block_size(bin);
  mi_page_t** place = heap->singles + heap->single_count;
  do {
    if (place == heap->singles) return NULL;
  } while (!fits(*--place, block_size));
  mi_page_t* page = *place;
  mi_heap_unretire(heap, page);
  mi_page_start_anew(page);
  page->adopted = false;
  page->block_size = block_size;
  page->bin = (uint8_t)bin;
  mi_page_set_flag(page, MI_PAGE_UNUSED | MI_PAGE_HAS_ALIGNED, false);
  if (MI_TRACK) mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  mi_page_set_full_alone(page);
  return page;
}
