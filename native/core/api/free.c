/* Freeing, and what can be said of a pointer. */
#include "api/free.h"

#include <errno.h>

#include "heap/communal.h"
#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/reclaim.h"
#include "heap/thread.h"
#include "os/rare.h"
#include "segment/owner_lock.h"

/* A stale pointer leads to a segment without a cookie, or to a page that contains no block. */
mi_page_t* mi_living_page_of(const void* p) {
  /* An address beside a huge block must not lead to its header, which may be gone at any time. */
  if (!mi_is_in_chunk(p) && !mi_segment_table_covers(p)) return NULL;
  mi_segment_t* segment = mi_segment_find(p);
  if (segment == NULL || segment->cookie != mi_segment_cookie(segment)) return NULL;
  mi_page_t* page = mi_segment_page_of(segment, p);
  bool in_use = (mi_page_flags(page) & MI_PAGE_UNUSED) == 0;
  return in_use && mi_page_contains(page, p) ? page : NULL;
}

#if MI_CHECKED
/* True if p may be the address of a block: it is the start of one, or lies in one of a page with
   MI_PAGE_HAS_ALIGNED, and that block was laid out. Only the owner (`mine`) may read how many were.
   Another thread cannot hold a block that was not, so for it any block that fits in the page will
   do. */
static bool is_block_address(const mi_page_t* page, const void* p, bool mine) {
  size_t offset = (size_t)((const uint8_t*)p - page->start);
  size_t count = mine ? page->capacity : page->reserved;
  if (offset >= count * page->block_size) return false;
  return offset % page->block_size == 0 || (mi_page_flags(page) & MI_PAGE_HAS_ALIGNED) != 0;
}

/* Whether the block, of a page of this thread, was freed before. */
static bool is_free(const mi_page_t* page, const mi_block_t* block) {
  mi_owner_lock_t* lock = mi_segment_lock(mi_segment_of(page));
  if (lock != NULL) mi_owner_enter(lock); /* a huge block has none */
  bool free = mi_page_block_is_free(page, block) || mi_magazine_holds(page, block);
  if (lock != NULL) mi_owner_leave(lock);
  return free;
}
#endif

mi_page_t* mi_checked_page_of(const char* function, const void* p) {
  if (p == NULL) return NULL;
  mi_page_t* page = mi_living_page_of(p);
  if (mi_unlikely(page == NULL)) {
    mi_misuse(EINVAL, "%s: %p is not a block of miheap\n", function, p);
    return NULL;
  }
  if (MI_GUARDED && mi_is_guarded(page, p) && mi_guarded_of(page, p).p != p) {
    mi_misuse(EINVAL, "%s: %p is inside of a block, or of none\n", function, p);
    return NULL;
  }
#if MI_CHECKED
  /* Only the owner may look at its lists. */
  bool mine = mi_segment_is_mine(mi_segment_of(page));
  if (!is_block_address(page, p, mine)) {
    mi_misuse(EINVAL, "%s: %p is inside of a block, or of none\n", function, p);
    return NULL;
  }
  const mi_block_t* block = mi_page_block_of(page, p);
  if (mine && is_free(page, block)) {
    mi_misuse(EAGAIN, "%s: %p was freed before\n", function, p);
    return NULL;
  }
#endif
  return page;
}

/* Adopts the page's abandoned segment if this thread has use for it. False if not. */
static bool adopt(const mi_page_t* page) {
  return mi_heap_is_initialized(mi_heap_default) &&
         mi_option_is_enabled(mi_option_abandoned_reclaim_on_free) &&
         mi_heap_reclaim_segment_of(mi_heap_default, page);
}

/* Frees a block of an abandoned segment, and its page if that is empty then. */
static void free_unowned(mi_segment_t* segment, mi_page_t* page, mi_block_t* block) {
  /* Read before the push, after which page and segment may be gone. */
  mi_slot_ref_t slot = mi_segment_slot(segment);
  unsigned index = mi_page_index(segment, page);
  if (mi_page_free_block_unowned(page, block)) mi_heap_free_abandoned_page(slot, index);
}

/* Frees a block in the way that fits the owner of its segment. */
static void free_in(mi_page_t* page, mi_block_t* block) {
  mi_segment_t* segment = mi_segment_of(page);
  /* Acquire pairs with the release of mi_segment_abandon. */
  uintptr_t owner = atomic_load_explicit(&segment->thread_id, memory_order_acquire);
  bool unowned = owner == 0 && !mi_segment_is_huge(segment);
  if (unowned && mi_segment_is_communal(segment)) {
    mi_communal_page_free(page);
  } else if (owner == mi_os_thread_id() || (unowned && adopt(page))) {
    mi_page_free_block(page, block);
    mi_deliver_misuse();
  } else if (unowned) {
    free_unowned(segment, page, block);
  } else {
    mi_page_free_block_mt(page, block);
  }
}

/* mi_free_in_page, for what does not go to a magazine without another look. */
static mi_noinline void free_in_any_page(void* p, mi_page_t* page) {
  mi_heap_t* heap = mi_heap_default;
  if (mi_unlikely((mi_page_flags(page) & (MI_PAGE_HAS_ALIGNED | MI_PAGE_UNUSED)) != 0 ||
                  page->block_size == 0)) {
    mi_free_slow(p);
  } else if (atomic_load_explicit(&page->heap, memory_order_relaxed) != heap) {
    /* Most likely the next write to this line is ours: one miss instead of two (bench/NOTES.md). */
    mi_prefetch(&page->thread_free);
    free_in(page, p);
  } else {
    mi_page_free_block(page, p);
    mi_deliver_misuse();
  }
}

void mi_free_in_page(void* p, mi_page_t* page) {
  if (mi_page_is_freer_to_magazine(page)) {
    mi_magazine_stack_t* stack = page->stack;
    size_t in_use = mi_magazine_in_use(stack);
    if (mi_magazine_takes(stack, in_use)) {
      mi_magazine_push(stack, in_use, page, p);
      return;
    }
  }
  free_in_any_page(p, page);
}

void mi_free_slow(void* p) {
  mi_page_t* page = mi_checked_page_of("free", p);
  if (page == NULL) {
    if (p != NULL) mi_os_track_free_bad(p);
    return;
  }
  mi_block_t* block = mi_block_of(page, p);
  if (!mi_track_free(block, p)) return;
  if (MI_GUARDED) mi_guard_lift(page, block);
#if MI_DEBUG > 0 && !MI_TRACK
  memset(block, 0xDF, page->block_size);
#endif
  free_in(page, block);
  mi_assert_expensive(!mi_heap_is_initialized(mi_heap_default) ||
                      mi_heap_is_valid(mi_heap_default));
}

/* Abandons all pages of a thread with one heap: for tests (os/rare.h). Not in a deferred-free
   callback or a visit: the call that runs it is in the middle of the heap. */
static void abandon_all(void) {
  mi_heap_t* heap = mi_heap_default;
  if (!mi_heap_is_initialized(heap) || heap->tld->callback_heap != NULL) return;
  heap = &heap->tld->backing;
  if (heap->tld->heaps != heap || heap->visiting) return;
  mi_owner_enter(heap->segments->lock);
  mi_heap_abandon(heap);
  mi_owner_leave(heap->segments->lock);
}

mi_hot void mi_free(void* p) mi_attr_noexcept {
  mi_free_inline(p);
  if (mi_rare(mi_rare_abandon)) abandon_all();
}

void mi_free_small(void* p) mi_attr_noexcept { mi_free(p); }
void mi_cfree(void* p) mi_attr_noexcept {
  if (mi_living_page_of(p) != NULL) mi_free(p);
}

size_t mi_usable_size(const void* p) mi_attr_noexcept {
  mi_page_t* page = mi_checked_page_of("usable_size", p);
  return page == NULL ? 0 : mi_usable_from(page, p);
}
