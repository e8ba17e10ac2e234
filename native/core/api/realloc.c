/* Resizing: mi_realloc_from does the work; mi_realloc first tries a shorter way. */
#include <errno.h>

#include "api/alloc.h"
#include "api/free.h"
#include "heap/communal.h"
#include "heap/queue.h"
#include "heap/request.h"
#include "heap/thread.h"
#include "segment/huge.h"

/* The size of a block in which there is room for `wanted` at its alignment. */
static size_t size_to_ask(const mi_request_t* wanted) {
  size_t align = wanted->align;
  if ((wanted->offset & (align - 1)) != 0) return wanted->size + align - 1;
  return mi_align_up(wanted->size == 0 ? 1 : wanted->size, align);
}

/* Whether the block is kept as it is. One that would be less than half used moves, if that makes it
   smaller. */
static bool stays(const mi_request_t* wanted, size_t usable) {
  if (wanted->size > usable) return false;
  return wanted->size >= usable - usable / 2 || mi_good_size(size_to_ask(wanted)) >= usable;
}

/* Keeps the block at p. With `zero`, clears what lies behind `newsize`. */
static void* stay(void* p, size_t newsize, size_t usable, bool zero) {
  if (zero) memset((uint8_t*)p + newsize, 0, usable - newsize);
  mi_track_resize(mi_page_block_of(mi_page_of(p), p), p, newsize);
  return p;
}

/* ---- Blocks with a page to themselves change their size without a copy ----
   The caller holds the one block of the page, which is this thread's or communal, so no other
   thread knows the page. It may leave its queue, and a huge one may change its address. */

/* Gives a large page the block size of `bin`. `heap` is its heap; NULL: it is communal. *zero: the
   units that were added read as zero. False, and nothing has changed, if it cannot be done. */
static bool change_size(mi_heap_t* heap, mi_page_t* page, unsigned bin, bool* zero) {
  if (heap == NULL) return mi_communal_page_resize(page, bin, zero);
  if (!mi_segment_page_resize(heap->segments, page, mi_bin_block_size(bin), zero)) return false;
  mi_heap_remove_page(heap, page);
  page->bin = (uint8_t)bin;
  mi_heap_add_page(heap, page, false);
  return true;
}

/* For a block of a large page that stays large. NULL if it cannot be done. */
static void* resize_large(mi_heap_t* heap, mi_page_t* page, void* p, size_t newsize, bool zero) {
  size_t inside = (size_t)((uint8_t*)p - page->start);
  if (newsize <= MI_MEDIUM_BLOCK_MAX || newsize > MI_LARGE_BLOCK_MAX - inside) return NULL;
  size_t old_size = page->block_size;
  bool gain_is_zero;
  if (!change_size(heap, page, mi_bin_of(newsize + inside), &gain_is_zero)) return NULL;
  if (zero && page->block_size > old_size) {
    size_t end = mi_align_up(old_size, MI_UNIT_SIZE);
    if (!gain_is_zero || end > page->block_size) end = page->block_size;
    memset(page->start + old_size, 0, end - old_size);
  }
  return stay(p, newsize, page->block_size - inside, zero);
}

/* For a huge block that stays huge. NULL if it cannot be done. */
static void* resize_huge(mi_heap_t* heap, mi_page_t* page, void* p, size_t newsize, bool zero) {
  if (newsize <= MI_LARGE_BLOCK_MAX || newsize > MI_MAX_ALLOC_SIZE - MI_SEGMENT_SIZE) return NULL;
  size_t inside = (size_t)((uint8_t*)p - page->start);
  mi_heap_remove_page(heap, page);
  mi_page_t* moved = mi_huge_page_resize(page, newsize + inside, zero);
  mi_heap_add_page(heap, moved == NULL ? page : moved, false);
  if (moved == NULL) return NULL;
  return stay(moved->start + inside, newsize, moved->block_size - inside, zero);
}

/* Changes the size of a block with a page to itself, without a copy. NULL if it cannot be done. */
static void* resize(mi_page_t* page, void* p, size_t newsize, bool zero) {
  mi_segment_t* segment = mi_segment_of(page);
  if (MI_TRACK || page->reserved > 1) return NULL;
  if (mi_segment_is_communal(segment)) return resize_large(NULL, page, p, newsize, zero);
  if (!mi_segment_is_mine(segment)) return NULL;
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  if (heap->visiting) return NULL; /* the visit remembers its pages by address */
  return mi_segment_is_huge(segment) ? resize_huge(heap, page, p, newsize, zero)
                                     : resize_large(heap, page, p, newsize, zero);
}

/* For a block that should move to a smaller one, when there is no memory for that: it stays, and
   gives back what a page of its kind can do without. Never fails. */
static mi_noinline void* shrink_in_place(void* p, size_t newsize, size_t align, bool zero) {
  mi_page_t* page = mi_page_of(p);
  size_t least = mi_segment_is_huge(mi_segment_of(page)) ? MI_LARGE_BLOCK_MAX : MI_MEDIUM_BLOCK_MAX;
  if (newsize <= least && least < mi_usable_from(page, p) && !mi_is_guarded(page, p) &&
      align <= MI_SEGMENT_SIZE) {
    void* resized = resize(page, p, least + 1, zero);
    if (resized != NULL) p = resized;
  }
  return stay(p, newsize, mi_usable_from(mi_page_of(p), p), zero);
}

/* Keeps or resizes a block, of which `usable` bytes can be used, without a copy. NULL if it must
   move. */
static void*
resize_here(mi_page_t* page, void* p, size_t usable, const mi_request_t* wanted, bool zero) {
  /* A guarded block moves whenever its size changes, so that it still ends at its guard. */
  bool guarded = mi_is_guarded(page, p);
  bool keeps_end = !guarded || wanted->size == usable;
  if (mi_likely(stays(wanted, usable)) && keeps_end) return stay(p, wanted->size, usable, zero);
  /* Resizing keeps an alignment of up to a segment: a large block stays where it is, and a huge one
     moves by multiples of a segment. */
  return guarded || wanted->align > MI_SEGMENT_SIZE ? NULL : resize(page, p, wanted->size, zero);
}

void* mi_realloc_from(mi_heap_t* heap, void* p, size_t newsize, size_t align, size_t offset,
                      bool zero) {
  if (mi_unlikely(!mi_is_valid_alignment(align))) return NULL;
  mi_heap_t* target = heap == NULL ? mi_heap_default : heap;
  if (p == NULL) return mi_alloc_aligned(target, newsize, align, offset, zero);
  mi_page_t* page = mi_checked_page_of("realloc", p);
  if (mi_unlikely(page == NULL)) {
    errno = EINVAL;
    return NULL;
  }
  size_t usable = mi_usable_from(page, p);
  bool may_stay = (((uintptr_t)p + offset) & (align - 1)) == 0 &&
                  (heap == NULL || mi_heap_has_page(heap, page));
  if (mi_likely(may_stay)) {
    mi_request_t wanted = {.size = newsize, .align = align, .offset = offset};
    void* here = resize_here(page, p, usable, &wanted, zero);
    if (here != NULL) return here;
  }
  int saved = errno;
  void* moved = mi_alloc_aligned(target, newsize, align, offset, zero);
  if (mi_unlikely(moved == NULL)) {
    if (!may_stay || newsize > usable) return NULL;
    p = shrink_in_place(p, newsize, align, zero);
    errno = saved;
    return p;
  }
  memcpy(moved, p, newsize < usable ? newsize : usable);
  mi_free_inline(p);
  return moved;
}

void* mi_heap_realloc(mi_heap_t* heap, void* p, size_t newsize) mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, 1, 0, false);
}

/* Like mi_malloc for a small block, but where memory is short the last `spare` bytes are left
   out. */
static void* alloc_roomy(size_t size, size_t spare) {
  mi_heap_t* heap = mi_heap_default;
  mi_page_t* page = mi_heap_small_page(heap, size);
  if (mi_likely(page->free != NULL)) return mi_page_alloc(page, false);
  return mi_malloc_generic(heap, &(mi_request_t){.size = size, .align = 1, .spare = spare}, false);
}

/* Moves a plain block of this thread that is too small now: like mi_realloc_from, without its
   checks. A small block that grows by little will grow again, so it gets a quarter more than it
   had. Larger ones do not: their classes are wide enough, and what was spare was 7 % of the memory
   of a Redis server with lists (bench/NOTES.md). */
static mi_noinline void* grow_plain(const mi_page_t* page, void* p, size_t newsize) {
  size_t size = page->block_size; /* read now: the page may go with the block */
  size_t roomy = size + size / 4;
  bool by_little = !MI_GUARDED && newsize < roomy && roomy <= MI_SMALL_SIZE_MAX;
  void* moved = by_little ? alloc_roomy(roomy, roomy - newsize) : mi_malloc_inline(newsize);
  if (mi_unlikely(moved == NULL)) return NULL;
  memcpy(moved, p, size);
  mi_free_inline(p);
  return moved;
}

/* The page of p, if p is a block of the default heap that was not handed out aligned; else NULL. */
static const mi_page_t* plain_page_of(const void* p) {
  const mi_page_t* page = mi_page_map_find(p);
  if (page == NULL) return NULL;
  bool mine = atomic_load_explicit(&page->heap, memory_order_relaxed) == mi_heap_default;
  bool plain = (mi_page_flags(page) & (MI_PAGE_HAS_ALIGNED | MI_PAGE_UNUSED)) == 0;
  return mine && plain ? page : NULL;
}

void* mi_realloc(void* p, size_t newsize) mi_attr_noexcept {
  const mi_page_t* page = plain_page_of(p);
  if (mi_likely(page != NULL)) {
    if (mi_likely(newsize <= page->block_size)) {
      if (mi_likely(newsize > page->block_size / 2)) return p;
    } else if (mi_likely(newsize <= MI_LARGE_BLOCK_MAX && page->reserved > 1)) {
      return grow_plain(page, p, newsize);
    }
  }
  return mi_realloc_from(NULL, p, newsize, 1, 0, false);
}

void* mi_heap_reallocn(mi_heap_t* heap, void* p, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_heap_realloc(heap, p, total) : NULL;
}
void* mi_reallocn(void* p, size_t count, size_t size) mi_attr_noexcept {
  return mi_heap_reallocn(NULL, p, count, size);
}

void* mi_heap_reallocf(mi_heap_t* heap, void* p, size_t newsize) mi_attr_noexcept {
  void* moved = mi_heap_realloc(heap, p, newsize);
  if (moved == NULL) mi_cfree(p); /* mi_cfree does not report once more what is no block */
  return moved;
}
void* mi_reallocf(void* p, size_t newsize) mi_attr_noexcept {
  return mi_heap_reallocf(NULL, p, newsize);
}

void* mi_expand(void* p, size_t newsize) mi_attr_noexcept {
  const mi_page_t* page = mi_checked_page_of("expand", p);
  return page != NULL && newsize <= mi_usable_from(page, p) ? p : NULL;
}

void* mi_heap_realloc_aligned_at(mi_heap_t* heap, void* p, size_t newsize, size_t alignment,
                                 size_t offset) mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, alignment, offset, false);
}
void* mi_heap_realloc_aligned(mi_heap_t* heap, void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept {
  return mi_realloc_from(heap, p, newsize, alignment, 0, false);
}
void* mi_realloc_aligned_at(void* p, size_t newsize, size_t alignment, size_t offset)
    mi_attr_noexcept {
  return mi_realloc_from(NULL, p, newsize, alignment, offset, false);
}
void* mi_realloc_aligned(void* p, size_t newsize, size_t alignment) mi_attr_noexcept {
  return mi_realloc_from(NULL, p, newsize, alignment, 0, false);
}
