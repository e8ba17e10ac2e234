/* malloc's fast path, inlined into every function that allocates. */
#ifndef MI_ALLOC_H
#define MI_ALLOC_H

#include <string.h>

#include "heap/request.h"
#include "heap/thread.h"
#include "page/page.h"

/* Where the page for a small block has nothing to pop, and for all sizes that are not small. What malloc
   has in registers already comes first, and in that order. */
mi_noinline void* mi_alloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page, bool zero);
mi_noinline void* mi_alloc_larger(size_t size, mi_heap_t* heap, bool zero);
/* The same for malloc. */
mi_noinline void* mi_malloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page);
mi_noinline void* mi_malloc_larger(size_t size);
/* With a heartbeat, and also for what needs a huge block because of its alignment. */
mi_noinline void* mi_malloc_generic(mi_heap_t* heap, const mi_request_t* request, bool zero);

/* What all of the below are in builds for valgrind and AddressSanitizer. */
void* mi_alloc_tracked(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* In builds with MI_GUARDED, the block if it is one that shall be guarded, and can be; else NULL. With
   `align` 1 it is aligned as the option guarded_precise says. */
void* mi_alloc_guarded(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* With `zero`, makes the block all zero: what lies behind its first `written` bytes is. */
mi_inline void*
mi_block_hand_out(const mi_page_t* page, mi_block_t* block, bool zero, size_t written) {
  if (zero) {
    memset(block, 0, written);
  } else if (MI_DEBUG > 0 && !MI_TRACK) {
    memset(block, 0xD0, page->block_size);
  }
  return block;
}

/* Pops a block of the page. */
mi_inline void* mi_page_alloc(mi_page_t* page, bool zero) {
  bool clean = page->free_is_zero;
  mi_block_t* block = mi_page_pop(page);
  return mi_block_hand_out(page, block, zero, clean ? sizeof(mi_block_t) : page->block_size);
}

mi_inline mi_page_t* mi_heap_small_page(const mi_heap_t* heap, size_t size) {
  return heap->pages_free_direct[(size + MI_WORD_SIZE - 1) / MI_WORD_SIZE];
}

mi_inline void* mi_alloc_plain_small(mi_heap_t* heap, size_t size, bool zero) {
  mi_page_t* page = mi_heap_small_page(heap, size);
  if (mi_unlikely(page->free == NULL)) return mi_alloc_slow(size, heap, page, zero);
  return mi_page_alloc(page, zero);
}

/* A block that is neither tracked nor guarded. */
mi_inline void* mi_alloc_plain(mi_heap_t* heap, size_t size, bool zero) {
  if (mi_likely(size <= MI_SMALL_SIZE_MAX)) return mi_alloc_plain_small(heap, size, zero);
  return mi_alloc_larger(size, heap, zero);
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
   where there is nothing to pop. Their arguments are where they are needed: no register is saved or moved. */
typedef void* mi_larger_fun(size_t size);
typedef void* mi_slow_fun(size_t size, mi_heap_t* heap, mi_page_t* page);
mi_inline void* mi_malloc_or(size_t size, mi_larger_fun* larger, mi_slow_fun* slow) {
  if (MI_TRACK || MI_GUARDED || mi_unlikely(size > MI_SMALL_SIZE_MAX)) return larger(size);
  mi_heap_t* heap = mi_heap_default;
  mi_page_t* page = mi_heap_small_page(heap, size);
  if (mi_unlikely(page->free == NULL)) return slow(size, heap, page);
  return mi_page_alloc(page, false);
}

mi_inline void* mi_malloc_inline(size_t size) {
  return mi_malloc_or(size, mi_malloc_larger, mi_malloc_slow);
}

/* mi_malloc_aligned where a small block can be popped. NULL if not, and for all that asks for a closer look: size 0,
   which is rounded up, what is not right, and a size so large that rounding it begins at 0 again. */
mi_inline void* mi_malloc_aligned_quick(size_t size, size_t align) {
  size_t rounded = mi_align_up(size, align);
  if (MI_TRACK || MI_GUARDED || mi_unlikely(!mi_is_power_of_two(align)) || size == 0 ||
      size > MI_SMALL_SIZE_MAX || rounded > MI_SMALL_SIZE_MAX) {
    return NULL;
  }
  mi_page_t* page = mi_heap_small_page(mi_heap_default, rounded);
  return mi_likely(page->free != NULL) ? mi_page_alloc(page, false) : NULL;
}

/* The block is at an address p such that p + offset is a multiple of `align`. NULL with EINVAL
   if `align` is not a power of two. */
mi_noinline void*
mi_alloc_aligned(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* *total = count * size. False, with ENOMEM, if that overflows. */
bool mi_count_bytes(size_t count, size_t size, size_t* total);

/* Every realloc there is. The new block is at an address x such that x + offset is a multiple of
   `align`. The block may stay where it is if it is of `heap`, or `heap` is NULL: that means any
   heap, and the default one if the block must move. With `zero`, what lies behind `newsize` is
   zero, if what lay behind the size of the old block was. */
void* mi_realloc_from(mi_heap_t* heap, void* p, size_t newsize, size_t align, size_t offset,
                      bool zero);

#endif
