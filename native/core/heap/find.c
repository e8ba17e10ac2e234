/* Finding a page with free blocks, and making one. */
#include <string.h>

#include "heap/communal.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/reclaim.h"
#include "heap/request.h"
#include "heap/retire.h"
#include "heap/single.h"
#include "segment/huge.h"
#include "stats/stats.h"

/* In a large heap, most blocks that are laid out are used soon, and to get several system pages at
   once costs half of getting them one by one (bench/NOTES.md). In a small heap that would take too
   much memory for what it saves. */
void mi_heap_extend_page(mi_heap_t* heap, mi_page_t* page) {
  mi_heap_unretire(heap, page); /* it may count for more when it is empty again */
  enum { LARGE_HEAP_PAGES = 128, AHEAD = 3, MOST_BYTES = 16 << 10 };
  bool ahead = page->block_size <= MI_SMALL_SIZE_MAX && heap->page_count >= LARGE_HEAP_PAGES &&
               (1 + AHEAD) * mi_os_page_size() <= MOST_BYTES;
  mi_page_extend(page, ahead ? AHEAD : 0);
}

static mi_page_t* init_for_heap(mi_heap_t* heap, mi_page_t* page, unsigned bin) {
  page->bin = (uint8_t)bin;
  page->tag = heap->tag;
  /* Relaxed: published by the release in mi_page_set_full or mi_heap_add_single. */
  atomic_store_explicit(&page->heap, heap, memory_order_relaxed);
  if (MI_TRACK) mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  mi_magazine_set_freer(heap, page);
  if (bin != MI_BIN_HUGE) mi_thread_stat_up(heap->tld, pages);
  if (page->reserved > 1) mi_heap_extend_page(heap, page);
  return page;
}

/* A page where memory is resident, or NULL. Before a small page touches fresh memory, a page that
   another class has retired is given back, if the heap has retired more than `few` bytes: so
   programs that use one class after another need a fifth less memory. As a last resort, the slot
   that the thread left last is taken back. */
static mi_page_t* page_in_resident(mi_heap_t* heap, size_t block_size) {
  const size_t few = 128 << 10;
  mi_page_t* page = mi_segment_page_alloc_resident(heap->segments, block_size);
  if (page == NULL && block_size <= MI_SMALL_BLOCK_MAX && heap->retired_bytes > few) {
    mi_segment_t* segment = mi_heap_give_up_retired(heap);
    if (segment != NULL) {
      page = mi_segment_page_alloc_in(heap->segments, segment, block_size, true);
    }
  }
  if (page == NULL && block_size <= MI_MEDIUM_BLOCK_MAX) {
    page = mi_segment_page_alloc_left(heap->segments, block_size);
  }
  return page;
}

/* A page that the queue did not have: a communal one, one that an ended thread left, or a new one.
   NULL if there is no memory. */
static mi_page_t* page_fresh(mi_heap_t* heap, unsigned bin) {
  size_t block_size = mi_bin_block_size(bin);
  mi_page_t* page = NULL;
  if (mi_communal_serves(heap, block_size)) page = mi_communal_page_alloc(heap, bin);
  if (page == NULL) page = mi_heap_reclaim(heap, bin);
  if (page != NULL) return page;
  if (block_size <= MI_UNIT_SIZE) page = page_in_resident(heap, block_size);
  if (page == NULL) page = mi_segment_page_alloc(heap->segments, block_size);
  if (page == NULL) return NULL;
  init_for_heap(heap, page, bin);
  if (page->reserved == 1) {
    mi_heap_add_single(heap, page);
  } else {
    mi_heap_add_page(heap, page, true);
  }
  mi_magazine_start(heap);
  return page;
}

/* Collects the page, or lays out more blocks. False if it has no block to pop then: an exhausted
   page moves to the full queue. */
static bool make_available(mi_heap_t* heap, mi_page_t* page) {
  for (;;) {
    mi_page_free_collect(page);
    if (page->free != NULL) return true;
    if (page->capacity < page->reserved) {
      heap->tld->stats.pages_extended++;
      mi_heap_extend_page(heap, page);
      return true;
    }
    if (mi_page_to_full(heap, page)) return false;
    /* Either a block was freed just now, and we look again; or a thread is at work on the page, and
       we look another time. */
    if (mi_page_is_busy(page)) return false;
  }
}

static void move_to_front(mi_heap_t* heap, mi_page_t* page) {
  if (page->prev == NULL) return;
  mi_heap_remove_page(heap, page);
  mi_heap_add_page(heap, page, true);
}

/* ---- Sparse pages ----
   Pages that left the full queue come one behind the other, so the first one of a queue is often
   the emptiest. Where a peak left a class many pages, to fill them in turn would keep most of them:
   a program that goes on with a fifth of its blocks would keep half of their memory, or more, for
   good (bench/NOTES.md). So if the first page is less than half full, the fullest of the next few
   is taken, and emptier ones drain.

   Not in a class with few pages: little is to be had there. Not in a page that is not yet laid out
   whole. Not if other threads free in the page: `used` does not say what they freed, and who waits
   longest gathers most of it. Not if its blocks are coarse: free ones can be purged one by one. */

static bool is_sparse(const mi_heap_t* heap, const mi_page_t* page) {
  enum { MANY_PAGES = 8 };
  return !mi_page_is_coarse(page) && mi_page_used(page) < page->reserved / 2u &&
         page->capacity == page->reserved && heap->pages_of[page->bin] >= MANY_PAGES &&
         page->shared_credit == 0;
}

/* Whether malloc should rather use `page` than `other`. It must have a quarter of its blocks free,
   else malloc would soon be back here. */
static bool is_fuller(const mi_page_t* page, const mi_page_t* other) {
  size_t used = mi_page_used(page);
  return (page->free != NULL || page->local_free != NULL) &&
         used <= page->reserved - page->reserved / 4u && used > mi_page_used(other) &&
         page->shared_credit == 0 && !mi_page_has_thread_free(page);
}

/* The fullest of a few pages from this sparse one on, which has free blocks. */
static mi_noinline mi_page_t* fullest_of(mi_heap_t* heap, mi_page_t* page) {
  enum { LOOKS = 16 };
  mi_page_t* fullest = page;
  mi_page_t* next = page->next;
  for (unsigned i = 1; next != NULL && i < LOOKS; i++, next = next->next) {
    if (is_fuller(next, fullest)) fullest = next;
  }
  if (fullest == page) return page;
  mi_page_free_collect(fullest);
  /* Only misuse by other threads at this moment leaves it without a block. */
  if (fullest->free == NULL) return page;
  /* It stays here for long. Other threads may just have freed the last of its blocks. */
  if (mi_page_watch(heap, page)) mi_page_retire(page);
  return fullest;
}

/* A page of the bin's queue with free blocks, or NULL. */
static mi_page_t* search_queue(mi_heap_t* heap, unsigned bin) {
  mi_page_t* empty = NULL; /* taken only if no page is partly used: empty pages can be given back */
  mi_page_t* next;
  for (mi_page_t* page = heap->pages[bin].first; page != NULL; page = next) {
    next = page->next;
    heap->tld->stats.page_searches++;
    if (!make_available(heap, page)) continue;
    if (!mi_page_is_empty(page)) {
      if (mi_unlikely(is_sparse(heap, page))) page = fullest_of(heap, page);
      move_to_front(heap, page);
      return page;
    }
    if (empty != NULL) mi_heap_free_page(heap, empty);
    empty = page;
  }
  if (empty != NULL) move_to_front(heap, empty);
  return empty;
}

/* ---- Loans ----
   Two kinds of classes take blocks from larger classes:

   A class without pages. A page of its own costs a size class at least one system page, and a
   thread that allocates little asks for a few blocks of many classes. So in each round such a class
   gets its first blocks from pages of larger classes, up to the next power of two. These blocks may
   live for ever, so only small heaps borrow: what is wasted in all is less than half of the heap's
   pages.

   A medium class whose pages are full. It takes what was freed in pages of the next classes before
   it gets another page: otherwise each class keeps the pages of its own peak, and where blocks of 8
   to 32 KiB are replaced at random, that is twice the memory (bench/NOTES.md). It takes only blocks
   that were freed, so a program that keeps all its blocks gets pages that fit. */

enum { LOANS_PER_ROUND = 8, SMALL_HEAP_PAGES = 128 };
enum { SPARE_PER_ROUND = 32, SPARE_CLASSES = 4, SPARE_LOOKS = 4 };

static bool may_borrow(const mi_heap_t* heap, unsigned bin) {
  return bin < MI_BIN_LARGE && heap->pages_of[bin] == 0 && heap->loans[bin] < LOANS_PER_ROUND &&
         heap->page_count < SMALL_HEAP_PAGES;
}

static unsigned largest_lender(unsigned bin) {
  size_t size = mi_bin_block_size(bin);
  return mi_is_power_of_two(size) ? bin : mi_bin_of((size_t)2 << mi_bsr64(size));
}

/* Whether the blocks of class `lender` are aligned as well as those of `bin`. */
static bool can_lend(unsigned lender, unsigned bin) {
  return mi_lowest_bit(mi_bin_block_size(lender)) >= mi_lowest_bit(mi_bin_block_size(bin));
}

/* A page with free blocks of a class above `bin`, up to `last`; or NULL. */
static mi_page_t* page_of_lender(mi_heap_t* heap, unsigned bin, unsigned last) {
  for (unsigned lender = bin + 1; lender <= last; lender++) {
    if (heap->pages[lender].first == NULL || !can_lend(lender, bin)) continue;
    mi_page_t* page = search_queue(heap, lender);
    if (page != NULL) return page;
  }
  return NULL;
}

static void count_loan(mi_heap_t* heap, unsigned bin) {
  heap->loans[bin]++;
  /* Else the next round, and so more loans, would come the sooner the more loans are made. */
  heap->until_round++;
}

static mi_page_t* borrow(mi_heap_t* heap, unsigned bin) {
  count_loan(heap, bin);
  unsigned last = largest_lender(bin);
  mi_page_t* page = page_of_lender(heap, bin, last);
  if (page == NULL) page = page_fresh(heap, last);
  /* A page of the class itself may be shorter, and fit where the other did not. */
  return page != NULL || last == bin ? page : page_fresh(heap, bin);
}

/* A page of the class with blocks that were freed, or NULL. */
static mi_page_t* page_with_spare(mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = heap->pages[bin].first;
  for (unsigned i = 0; page != NULL && i < SPARE_LOOKS; i++, page = page->next) {
    mi_page_free_collect(page);
    if (page->free != NULL) return page;
  }
  return NULL;
}

/* For a class that has pages, all of them full: a page of another one that has blocks to spare. */
static mi_page_t* borrow_spare(mi_heap_t* heap, unsigned bin) {
  if (bin <= mi_bin_of(MI_SMALL_BLOCK_MAX) || bin >= MI_BIN_LARGE) return NULL;
  if (heap->pages_of[bin] == 0 || heap->loans[bin] >= SPARE_PER_ROUND) return NULL;
  for (unsigned i = 1; i <= SPARE_CLASSES && bin + i < MI_BIN_LARGE; i++) {
    mi_page_t* page = can_lend(bin + i, bin) ? page_with_spare(heap, bin + i) : NULL;
    if (page == NULL) continue;
    count_loan(heap, bin);
    return page;
  }
  return NULL;
}

void mi_heap_forget_loans(mi_heap_t* heap) { memset(heap->loans, 0, sizeof(heap->loans)); }

mi_page_t* mi_heap_find_page(mi_heap_t* heap, unsigned bin) {
  if (bin >= MI_BIN_LARGE) {
    mi_page_t* single = mi_heap_take_single(heap, bin);
    return single != NULL ? single : page_fresh(heap, bin);
  }
  mi_page_t* page = search_queue(heap, bin);
  if (page == NULL && heap->magazine != NULL && mi_magazine_give_back(heap, bin))
    page = search_queue(heap, bin);
  if (page != NULL) return page;
  if (may_borrow(heap, bin)) return borrow(heap, bin);
  page = borrow_spare(heap, bin);
  return page != NULL ? page : page_fresh(heap, bin);
}

mi_page_t* mi_heap_borrow_any(mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = page_of_lender(heap, bin, MI_BIN_LARGE - 1);
  unsigned least = MI_BIN_LARGE;
  if (page != NULL || bin >= least || !mi_communal_serves(heap, mi_bin_block_size(least))) {
    return page;
  }
  return mi_communal_page_alloc(heap, least); /* communal segments may still have room */
}

mi_page_t* mi_heap_huge_page(mi_heap_t* heap, const mi_request_t* request) {
  mi_arena_t* arena = heap->segments->arena;
  mi_page_t* page = mi_huge_page_alloc(arena, request->size, request->align, request->offset);
  if (page == NULL) return NULL;
  init_for_heap(heap, page, MI_BIN_HUGE);
  mi_heap_add_single(heap, page);
  return page;
}
