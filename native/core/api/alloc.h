/* malloc's fast path, inlined into every function that allocates. The path of an allocation:

     fast      mi_alloc, mi_malloc_or: up to MI_SMALL_SIZE_MAX pops `free` of the page for the size
     slow      mi_alloc_slow: that `free` is empty; takes local_free, or lays out more blocks
     larger    mi_alloc_larger: sizes above; pops the magazine, or the first page of the bin, or
               takes a page of one block that the heap kept
     generic   mi_malloc_generic: a heartbeat, then finds or makes a page (heap/generic.c)

   Each step calls the next one that can serve the size. A heap that is not made yet
   (mi_heap_empty) has nothing to pop, and so leads to `generic`, which makes it. */
#ifndef MI_ALLOC_H
#define MI_ALLOC_H

#include <errno.h>
#include <string.h>

#include "heap/request.h"
#include "heap/thread.h"
#include "page/page.h"

/* Functions that return a block return NULL with ENOMEM if there is no memory. With `zero` the
   block is all zero. `heap` is one of the calling thread, or mi_heap_empty. */

/* A small block, where its page `page` has nothing to pop. The parameters that malloc has in
   registers come first, in that order. */
mi_noinline void* mi_alloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page, bool zero);
/* A block of more than MI_SMALL_SIZE_MAX bytes. */
mi_noinline void* mi_alloc_larger(size_t size, mi_heap_t* heap, bool zero);
/* Like mi_alloc_slow, but does not zero. */
mi_noinline void* mi_malloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page);
/* Like mi_alloc_larger, but from the default heap, and does not zero. In builds with MI_TRACK or
   MI_GUARDED for any size. */
mi_noinline void* mi_malloc_larger(size_t size);
/* The slowest path: a block for any request. Runs the heartbeat. Also serves requests that need a
   huge block because of their alignment. */
mi_noinline void* mi_malloc_generic(mi_heap_t* heap, const mi_request_t* request, bool zero);

/* Stands in for the functions below in builds for valgrind and AddressSanitizer. The block is at an
   address p such that p + offset is a multiple of `align`. */
void* mi_alloc_tracked(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* In builds with MI_GUARDED: a block if this allocation is sampled and can be guarded; else NULL.
   Where memory is short the block may come without its guard. errno is left alone. With `align` 1
   the block is aligned as the option guarded_precise says. */
void* mi_alloc_guarded(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* Prepares a block for the caller. With `zero`, clears its first `written` bytes: the rest is zero
   already. */
mi_inline void* mi_block_hand_out(mi_block_t* block, size_t block_size, bool zero, size_t written) {
  if (zero) {
    memset(block, 0, written);
  } else if (MI_DEBUG > 0 && !MI_TRACK) {
    memset(block, 0xD0, block_size);
  }
  return block;
}

/* Pops a block of the page, whose `free` is not empty. */
mi_inline void* mi_page_alloc(mi_page_t* page, bool zero) {
  bool clean = page->free_is_zero;
  mi_block_t* block = mi_page_pop(page);
  size_t block_size = page->block_size;
  return mi_block_hand_out(block, block_size, zero, clean ? sizeof(mi_block_t) : block_size);
}

/* The page to pop from for a size up to MI_SMALL_SIZE_MAX; never NULL, but it may be empty. */
mi_inline mi_page_t* mi_heap_small_page(const mi_heap_t* heap, size_t size) {
  return heap->pages_free_direct[(size + MI_WORD_SIZE - 1) / MI_WORD_SIZE];
}

/* A block of up to MI_SMALL_SIZE_MAX bytes that is neither tracked nor guarded. */
mi_inline void* mi_alloc_plain_small(mi_heap_t* heap, size_t size, bool zero) {
  mi_page_t* page = mi_heap_small_page(heap, size);
  if (mi_unlikely(page->free == NULL)) return mi_alloc_slow(size, heap, page, zero);
  return mi_page_alloc(page, zero);
}

/* A block of any size that is neither tracked nor guarded. */
mi_inline void* mi_alloc_plain(mi_heap_t* heap, size_t size, bool zero) {
  if (mi_likely(size <= MI_SMALL_SIZE_MAX)) return mi_alloc_plain_small(heap, size, zero);
  return mi_alloc_larger(size, heap, zero);
}

/* The front door for sizes up to MI_SMALL_SIZE_MAX. */
mi_inline void* mi_alloc_small(mi_heap_t* heap, size_t size, bool zero) {
  if (MI_TRACK) return mi_alloc_tracked(heap, size, 1, 0, zero);
  if (MI_GUARDED) {
    void* p = mi_alloc_guarded(heap, size, 1, 0, zero);
    if (p != NULL) return p;
  }
  return mi_alloc_plain_small(heap, size, zero);
}

/* The front door for any size. */
mi_inline void* mi_alloc(mi_heap_t* heap, size_t size, bool zero) {
  if (MI_TRACK) return mi_alloc_tracked(heap, size, 1, 0, zero);
  if (MI_GUARDED) {
    void* p = mi_alloc_guarded(heap, size, 1, 0, zero);
    if (p != NULL) return p;
  }
  return mi_alloc_plain(heap, size, zero);
}

/* Serves a size that is not small. */
typedef void* mi_larger_fun(size_t size);
/* Serves a small size where its page has nothing to pop. */
typedef void* mi_slow_fun(size_t size, mi_heap_t* heap, mi_page_t* page);
/* Pops a small block from the default heap, or returns what `larger` or `slow` does. The arguments
   of these two are in the right registers already: none is saved or moved. */
mi_inline void* mi_malloc_or(size_t size, mi_larger_fun* larger, mi_slow_fun* slow) {
  if (MI_TRACK || MI_GUARDED || mi_unlikely(size > MI_SMALL_SIZE_MAX)) return larger(size);
  mi_heap_t* heap = mi_heap_default;
  mi_page_t* page = mi_heap_small_page(heap, size);
  if (mi_unlikely(page->free == NULL)) return slow(size, heap, page);
  return mi_page_alloc(page, false);
}

/* The body of mi_malloc. */
mi_inline void* mi_malloc_inline(size_t size) {
  return mi_malloc_or(size, mi_malloc_larger, mi_malloc_slow);
}

/* mi_malloc_aligned where a small block can be popped at once. NULL otherwise; also for what needs
   a closer look: size 0 (which is rounded up), an alignment that is not a power of two, and a size
   so large that rounding it up wraps to 0. */
mi_inline void* mi_malloc_aligned_quick(size_t size, size_t align) {
  size_t rounded = mi_align_up(size, align);
  if (MI_TRACK || MI_GUARDED || mi_unlikely(!mi_is_power_of_two(align)) || size == 0 ||
      size > MI_SMALL_SIZE_MAX || rounded > MI_SMALL_SIZE_MAX) {
    return NULL;
  }
  mi_page_t* page = mi_heap_small_page(mi_heap_default, rounded);
  return mi_likely(page->free != NULL) ? mi_page_alloc(page, false) : NULL;
}

/* Whether `align` is a power of two. If not, errno is EINVAL. */
mi_inline bool mi_is_valid_alignment(size_t align) {
  bool valid = mi_is_power_of_two(align);
  if (mi_unlikely(!valid)) errno = EINVAL;
  return valid;
}

/* A block at an address p such that p + offset is a multiple of `align`. NULL with EINVAL if
   `align` is not a power of two. */
mi_noinline void*
mi_alloc_aligned(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero);

/* *total = count * size. False, with ENOMEM, if that overflows. */
bool mi_count_bytes(size_t count, size_t size, size_t* total);

/* The general realloc, behind all others. The result is at an address x such that x + offset is a
   multiple of `align`. A block of `heap` may stay where it is, and otherwise moves to a new block
   of `heap`; `heap` NULL lets a block of any heap stay, and means the default heap if the block
   must move. With `zero`, what lies behind `newsize` is zero if what lay behind the size of the old
   block was. NULL for `p` allocates. Fails, and `p` is untouched, with ENOMEM, or with EINVAL if
   `align` is not a power of two or `p` is no block. */
void* mi_realloc_from(mi_heap_t* heap, void* p, size_t newsize, size_t align, size_t offset,
                      bool zero);

#endif
