/* Plain allocation: what follows when the fast path of api/alloc.h has nothing to pop.

     small_slow      takes what the owner freed in the page: local_free becomes `free`
     small_extend    lays out more blocks of the page
     alloc_larger    above 1 KiB: pops the magazine
     alloc_medium    `free`, local_free or the next block of the first page of the bin
     alloc_large     above 32 KiB: a page of one block that the heap kept
     alloc_beside_magazine, alloc_at_heartbeat
                     where the magazine has none, or a heartbeat is due (mi_heap_spend)
     alloc_slowest   the rest, and a heartbeat where there is no magazine: mi_malloc_generic
     alloc_generic   has a page found or made (mi_heap_page_for), and takes a block of it */
#include <errno.h>

#include "api/alloc.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/magazine_depth.h"
#include "heap/request.h"
#include "heap/retire.h"
#include "heap/single.h"
#include "heap/thread.h"
#include "segment/huge.h"
#include "segment/owner_lock.h"

/* Takes the next block that was never laid out, without a list: the program is the first to touch
   its memory. */
mi_inline void* take_next(mi_page_t* page, bool zero) {
  mi_block_t* block = mi_page_take_next(page);
  size_t written = 0;
  if (zero && !page->memory_is_zero) {
    written = page->bin == MI_BIN_HUGE ? mi_huge_page_clear(page) : page->block_size;
  }
  return mi_block_hand_out(block, page->block_size, zero, written);
}

/* `heap` may be NULL: there is no memory. */
static void* alloc_generic(mi_heap_t* heap, const mi_request_t* request, bool zero) {
  mi_page_t* page = heap == NULL ? NULL : mi_heap_page_for(heap, request);
  if (mi_unlikely(page == NULL)) {
    int before = mi_errno_before; /* the program's error function may find no memory either */
    mi_deliver_misuse();
    mi_out_of_memory(request->size > MI_MAX_ALLOC_SIZE ? EOVERFLOW : ENOMEM, 1,
                     request->size - request->spare);
    mi_errno_before = before;
    return NULL;
  }
  void* p = page->reserved == 1 ? take_next(page, zero) : mi_page_alloc(page, zero);
  mi_deliver_misuse();
  mi_assert_expensive(mi_heap_is_valid(heap));
  return p;
}

/* Surrounds what may run the heartbeat, and look for pages. Makes the thread's heap if it has none.
   Returns the lock of the heap's thread; NULL, and *heap is NULL: there is no memory for a heap. */
static mi_owner_lock_t* begin_slow_call(mi_heap_t** heap) {
  mi_thread_begin_call();
  if (mi_unlikely(!mi_heap_is_initialized(*heap))) *heap = mi_heap_get();
  if (mi_unlikely(*heap == NULL)) return NULL;
  mi_owner_lock_t* lock = (*heap)->segments->lock;
  mi_owner_enter(lock);
  return lock;
}
static void end_slow_call(mi_owner_lock_t* lock) {
  if (mi_likely(lock != NULL)) mi_owner_leave(lock);
  mi_thread_end_call();
}

void* mi_malloc_generic(mi_heap_t* heap, const mi_request_t* request, bool zero) {
  mi_owner_lock_t* lock = begin_slow_call(&heap);
  void* p = alloc_generic(heap, request, zero);
  end_slow_call(lock);
  return p;
}

static mi_noinline void* alloc_slowest(size_t size, mi_heap_t* heap, bool zero) {
  return mi_malloc_generic(heap, &(mi_request_t){.size = size, .align = 1}, zero);
}

/* Lays out more blocks of a page with nothing on `free` or local_free, if it has room, and pops
   one. */
static mi_noinline void* small_extend(size_t size, mi_heap_t* heap, mi_page_t* page, bool zero) {
  if (!mi_page_has_room(page) || !mi_heap_spend(heap, 1)) return alloc_slowest(size, heap, zero);
  unsigned before = page->capacity;
  mi_heap_extend_page(heap, page);
  heap->tld->stats.pages_extended++;
  heap->quick_blocks -= (int)(page->capacity - before) - 1;
  return mi_page_alloc(page, zero);
}

/* `free` of the page is empty. */
mi_inline void* small_slow(size_t size, mi_heap_t* heap, mi_page_t* page, bool zero) {
  if (mi_likely(page->local_free != NULL)) {
    /* The blocks on local_free, since `free` is empty; more in a watched page, whose `used` leaves
       some out. */
    int blocks = (int)(page->capacity - page->used);
    if (mi_unlikely(!mi_heap_spend(heap, blocks))) return alloc_slowest(size, heap, zero);
    mi_page_adopt_local_free(page);
    return mi_page_alloc(page, zero);
  }
  return small_extend(size, heap, page, zero);
}

/* Takes the block that the owner freed last: it is in the cache still, unlike the rest of a page of
   larger blocks. */
mi_inline void* alloc_again(mi_page_t* page, bool zero) {
  return mi_block_hand_out(mi_page_pop_local(page), page->block_size, zero, page->block_size);
}

/* Like take_next, and counts it. A call of its own, so that its callers save no registers. */
static mi_noinline void* alloc_next(mi_heap_t* heap, mi_page_t* page, bool zero) {
  heap->tld->stats.pages_extended++;
  mi_heap_unretire(heap, page); /* as in mi_heap_extend_page */
  return take_next(page, zero);
}

/* Pops a stack of the heap's magazine. NULL if it has no block, another thread took the first one,
   or a heartbeat is due. */
mi_inline mi_block_t* alloc_from_magazine(mi_heap_t* heap, mi_magazine_stack_t* stack) {
  size_t in_use = mi_magazine_in_use(stack);
  if (in_use == 0 || !mi_heap_spend(heap, 1)) return NULL;
  return mi_magazine_pop_top(heap->magazine, stack, in_use);
}

/* Hands out a block that was popped from the magazine. */
mi_inline void* hand_out_again(mi_block_t* block, size_t bin, bool zero) {
  size_t block_size = mi_bin_block_size((unsigned)bin);
  return mi_block_hand_out(block, block_size, zero, block_size);
}

/* For sizes above MI_MEDIUM_BLOCK_MAX. */
static mi_noinline void* alloc_large(size_t size, mi_heap_t* heap, bool zero) {
  if (heap->single_count > 0 && size <= MI_SINGLE_BLOCK_MAX && mi_heap_spend(heap, 1)) {
    mi_page_t* page = mi_heap_take_single(heap, (unsigned)mi_bin_of_geometric(size));
    if (page != NULL) return take_next(page, zero);
  }
  return alloc_slowest(size, heap, zero);
}

/* From the first page of the bin. */
mi_inline void* alloc_medium(size_t size, mi_heap_t* heap, size_t bin, bool zero) {
  mi_page_t* page = heap->pages[bin].first;
  if (mi_unlikely(page == NULL)) return alloc_slowest(size, heap, zero);
  if (mi_likely(page->free != NULL)) return mi_page_alloc(page, zero);
  if (mi_likely(page->local_free != NULL)) {
    if (mi_likely(mi_heap_spend(heap, 1))) return alloc_again(page, zero);
  } else if (mi_likely(mi_page_has_room(page)) && mi_heap_spend(heap, 1)) {
    return alloc_next(heap, page, zero);
  }
  return alloc_slowest(size, heap, zero);
}

/* Runs the heartbeat that is due, and then pops the magazine. Taking the block from a page would
   give one back to a page first, in a heap whose pages are full: a tenth of the instructions where
   blocks of 1 to 16 KiB are replaced at random. */
static void* alloc_at_heartbeat(size_t size, mi_heap_t* heap, size_t bin, bool zero) {
  mi_owner_lock_t* lock = begin_slow_call(&heap);
  mi_heap_heartbeat(heap);
  mi_block_t* block = mi_magazine_pop(heap->magazine, mi_magazine_stack(heap, bin));
  void* p = block != NULL ? hand_out_again(block, bin, zero) : alloc_medium(size, heap, bin, zero);
  mi_deliver_misuse();
  end_slow_call(lock);
  return p;
}

/* Where alloc_from_magazine returned NULL. If other threads take blocks, a heartbeat may come
   before its time. A call of its own, so that popping the magazine saves no registers. */
static mi_noinline void* alloc_beside_magazine(size_t size, mi_heap_t* heap, bool zero) {
  size_t bin = mi_bin_of_geometric(size);
  mi_magazine_stack_t* stack = mi_magazine_stack(heap, bin);
  if (mi_magazine_in_use(stack) > 0) return alloc_at_heartbeat(size, heap, bin, zero);
  if (mi_unlikely(stack->overflows > 0)) mi_magazine_deepen(heap, stack);
  return alloc_medium(size, heap, bin, zero);
}

/* For sizes above MI_SMALL_SIZE_MAX. */
mi_inline void* alloc_larger(size_t size, mi_heap_t* heap, bool zero) {
  if (mi_unlikely(size > MI_MEDIUM_BLOCK_MAX)) return alloc_large(size, heap, zero);
  size_t bin = mi_bin_of_geometric(size);
  mi_magazine_stack_t* stack = mi_magazine_stack(heap, bin);
  if (stack == NULL) return alloc_medium(size, heap, bin, zero);
  mi_block_t* block = alloc_from_magazine(heap, stack);
  if (mi_unlikely(block == NULL)) return alloc_beside_magazine(size, heap, zero);
  return hand_out_again(block, bin, zero);
}

void* mi_alloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page, bool zero) {
  return small_slow(size, heap, page, zero);
}
void* mi_alloc_larger(size_t size, mi_heap_t* heap, bool zero) {
  return alloc_larger(size, heap, zero);
}
void* mi_malloc_slow(size_t size, mi_heap_t* heap, mi_page_t* page) {
  return small_slow(size, heap, page, false);
}
void* mi_malloc_larger(size_t size) {
  if (MI_TRACK || MI_GUARDED) return mi_alloc(mi_heap_default, size, false); /* `size` is any */
  return alloc_larger(size, mi_heap_default, false);
}

bool mi_count_bytes(size_t count, size_t size, size_t* total) {
  if (mi_likely(!mi_mul_overflow(count, size, total))) return true;
  mi_out_of_memory(EOVERFLOW, count, size);
  errno = ENOMEM;
  return false;
}

mi_hot void* mi_malloc(size_t size) mi_attr_noexcept { return mi_malloc_inline(size); }
void* mi_zalloc(size_t size) mi_attr_noexcept { return mi_alloc(mi_heap_default, size, true); }
void* mi_malloc_small(size_t size) mi_attr_noexcept {
  return mi_alloc_small(mi_heap_default, size, false);
}
void* mi_zalloc_small(size_t size) mi_attr_noexcept {
  return mi_alloc_small(mi_heap_default, size, true);
}

void* mi_heap_malloc(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc(heap, size, false);
}
void* mi_heap_zalloc(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc(heap, size, true);
}
void* mi_heap_malloc_small(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc_small(heap, size, false);
}
void* mi_heap_zalloc_small(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc_small(heap, size, true);
}

void* mi_heap_calloc(mi_heap_t* heap, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_alloc(heap, total, true) : NULL;
}
void* mi_calloc(size_t count, size_t size) mi_attr_noexcept {
  return mi_heap_calloc(mi_heap_default, count, size);
}

void* mi_heap_mallocn(mi_heap_t* heap, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_alloc(heap, total, false) : NULL;
}
void* mi_mallocn(size_t count, size_t size) mi_attr_noexcept {
  return mi_heap_mallocn(mi_heap_default, count, size);
}

size_t mi_good_size(size_t size) mi_attr_noexcept {
  if (size <= MI_LARGE_BLOCK_MAX) return mi_bin_block_size(mi_bin_of(size));
  return size <= MI_MAX_ALLOC_SIZE ? mi_huge_good_size(size) : size;
}
