/* malloc's fast path, inlined into every function that allocates. */
#ifndef MI_ALLOC_H
#define MI_ALLOC_H

#include <string.h>

#include "heap/heap.h"

/* The path for everything that mi_alloc cannot pop at once. */
mi_noinline void* mi_alloc_slow(mi_heap_t* heap, size_t size, bool zero);
/* The same for the default heap, with the arguments where malloc has them already. */
mi_noinline void* mi_malloc_slow(size_t size);
/* And mi_alloc for it. */
mi_noinline void* mi_malloc_any(size_t size);
/* The same for what needs a huge block because of its alignment. */
mi_noinline void* mi_alloc_slow_aligned(mi_heap_t* heap, mi_request_t request, bool zero);

/* What all of the below are in builds for valgrind and AddressSanitizer. */
void* mi_alloc_tracked(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* In builds with MI_GUARDED, the block if it is one that shall be guarded, and can be; else NULL. With
   `align` 1 it is aligned as the option guarded_precise says. */
void* mi_alloc_guarded(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* Pops a block of the page. With `zero` it is all zero. */
mi_inline void* mi_page_alloc(mi_page_t* page, bool zero) {
  bool clean = (page->zero & MI_ZERO_FREE) != 0;
  mi_block_t* block = mi_page_pop(page);
  if (zero) {
    memset(block, 0, clean ? sizeof(mi_block_t) : page->block_size);
  } else if (MI_DEBUG > 0 && !MI_TRACK) {
    memset(block, 0xD0, page->block_size);
  }
  return block;
}

mi_inline void* mi_alloc_plain_small(mi_heap_t* heap, size_t size, bool zero) {
  mi_page_t* page = heap->pages_free_direct[(size + MI_WORD_SIZE - 1) / MI_WORD_SIZE];
  if (mi_unlikely(page->free == NULL)) return mi_alloc_slow(heap, size, zero);
  return mi_page_alloc(page, zero);
}

/* A block that is neither tracked nor guarded. */
mi_inline void* mi_alloc_plain(mi_heap_t* heap, size_t size, bool zero) {
  if (mi_likely(size <= MI_SMALL_SIZE_MAX)) return mi_alloc_plain_small(heap, size, zero);
  if (mi_unlikely(size > MI_LARGE_BLOCK_MAX)) return mi_alloc_slow(heap, size, zero);
  mi_page_t* page = heap->pages[mi_bin_of(size)].first;
  if (mi_unlikely(page == NULL || page->free == NULL)) {
    return mi_alloc_slow(heap, size, zero);
  }
  return mi_page_alloc(page, zero);
}

mi_inline void* mi_alloc_small(mi_heap_t* heap, size_t size, bool zero) {
  if (MI_TRACK) return mi_alloc_tracked(heap, size, 1, 0, zero);
  if (MI_GUARDED) {
    void* p = mi_alloc_guarded(heap, size, 1, 0, zero);
    if (p != NULL) return p;
  }
  return mi_alloc_plain_small(heap, size, zero);
}

mi_inline void* mi_alloc(mi_heap_t* heap, size_t size, bool zero) {
  if (MI_TRACK) return mi_alloc_tracked(heap, size, 1, 0, zero);
  if (MI_GUARDED) {
    void* p = mi_alloc_guarded(heap, size, 1, 0, zero);
    if (p != NULL) return p;
  }
  return mi_alloc_plain(heap, size, zero);
}

/* Pops a small block from the default heap; `larger` and `slow` are called for what is not small, and
   where there is nothing to pop. Both get the size where it is, so no register is saved or moved. */
typedef void* mi_alloc_fun(size_t size);
mi_inline void* mi_malloc_or(size_t size, mi_alloc_fun* larger, mi_alloc_fun* slow) {
  if (MI_TRACK || MI_GUARDED || mi_unlikely(size > MI_SMALL_SIZE_MAX)) return larger(size);
  mi_page_t* page = mi_heap_default->pages_free_direct[(size + MI_WORD_SIZE - 1) / MI_WORD_SIZE];
  if (mi_unlikely(page->free == NULL)) return slow(size);
  return mi_page_alloc(page, false);
}

mi_inline void* mi_malloc_inline(size_t size) {
  return mi_malloc_or(size, mi_malloc_any, mi_malloc_slow);
}

/* The block is at an address p such that p + offset is a multiple of `align`. NULL with EINVAL
   if `align` is not a power of two. */
void* mi_alloc_aligned(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* *total = count * size. False, with ENOMEM, if that overflows. */
bool mi_count_bytes(size_t count, size_t size, size_t* total);

/* Every realloc there is. The new block is at an address x such that x + offset is a multiple of
   `align`. The block may stay where it is if it is of `heap`, or `heap` is NULL: that means any
   heap, and the default one if the block must move. With `zero`, what lies behind `newsize` is
   zero, if what lay behind the size of the old block was. */
void* mi_realloc_from(mi_heap_t* heap, void* p, size_t newsize, size_t align, size_t offset,
                      bool zero);

#endif
