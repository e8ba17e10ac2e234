/* Pages that became empty. */
#include "heap/retire.h"

#include "heap/delayed.h"
#include "heap/queue.h"
#include "heap/request.h"
#include "heap/single.h"
#include "options/report.h"
#include "os/rare.h"
#include "page/page.h"
#include "segment/huge.h"
#include "segment/owner_lock.h"
#include "stats/stats.h"

/* A retired page is given back after so many rounds, with one round in HEARTBEATS_PER_ROUND
   heartbeats of its heap. A page that is given back too soon has to be laid out again. */
enum { RETIRE_SMALL = 16, RETIRE_OTHER = 4, HEARTBEATS_PER_ROUND = 64 };

/* Bounds on the bytes in retired pages, so that threads which fall asleep hold little. A heap may
   have up to MOST_OF_HEAP as long as all heaps together have no more than MOST_OF_ALL of pages of
   several blocks, and MOST_SINGLES_OF_ALL of pages of one block. It is sure of SURE_OF_HEAP of the
   former, but of none of the latter: a thousand threads that fell asleep would keep 256 MiB. The
   two kinds are counted apart, else what many threads are sure of would take the room of the pages
   of one block. A page counts for the most blocks that were ever laid out in it: of a page with
   room for a dozen, a program often uses one or two. To count the whole page leaves a process of
   many threads a quarter of these pages, and takes 1.15 times as long (bench/NOTES.md). */
#define SURE_OF_HEAP ((size_t)256 << 10)
#define MOST_OF_HEAP MI_SEGMENT_SIZE
#define MOST_OF_ALL ((size_t)6 << 20)
#define MOST_SINGLES_OF_ALL ((size_t)3 << 20)
static _Atomic(size_t) retired_by_all;
/* The sum of heap->single_room. A heap that takes a kept page keeps the room of it until its next
   round, or until it takes another one: each malloc and free of such a block would write to this
   otherwise, from all processors. */
static _Atomic(size_t) single_room_of_all;

/* What the page counts for, once it is retired. A page that starts anew keeps its memory. */
static size_t counts_for(const mi_page_t* page) {
  size_t bytes = page->capacity * page->block_size;
  return bytes > page->touched_bytes ? bytes : page->touched_bytes;
}

static bool has_budget(const mi_heap_t* heap, size_t bytes) {
  return heap->retired_bytes - heap->single_bytes + bytes <= SURE_OF_HEAP ||
         (heap->retired_bytes + bytes <= MOST_OF_HEAP &&
          atomic_load_explicit(&retired_by_all, memory_order_relaxed) + bytes <= MOST_OF_ALL);
}

bool mi_heap_retired_is_valid(const mi_heap_t* heap) {
  size_t bytes = 0;
  for (unsigned bin = 0; bin < MI_BIN_LARGE; bin++) {
    for (const mi_page_t* page = heap->pages[bin].first; page != NULL; page = page->next) {
      if (page->retire_expire == 0) continue;
      if (page->next != NULL || bin < heap->retired_min || bin > heap->retired_max) return false;
      if (mi_page_is_watched(page) || page->touched_bytes < counts_for(page)) return false;
      bytes += page->touched_bytes;
    }
  }
  size_t single_bytes = 0;
  for (unsigned i = 0; i < heap->single_count; i++) {
    const mi_page_t* page = heap->singles[i];
    if (page->retire_expire == 0 || page->touched_bytes < counts_for(page)) return false;
    single_bytes += page->touched_bytes;
  }
  /* Every heap adds to the sums before it takes away, so these are never less than what one heap
     has. */
  return single_bytes == heap->single_bytes && bytes + single_bytes == heap->retired_bytes &&
         bytes <= atomic_load_explicit(&retired_by_all, memory_order_relaxed) &&
         single_bytes <= heap->single_room &&
         heap->single_room <= atomic_load_explicit(&single_room_of_all, memory_order_relaxed);
}

void mi_heap_free_page(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(mi_page_is_empty(page));
  if (mi_unlikely(heap->visiting)) return;
  mi_page_check_end(page, atomic_load_explicit(&page->thread_free, memory_order_relaxed));
  mi_heap_end_page(heap, page);
}

void mi_heap_end_page(mi_heap_t* heap, mi_page_t* page) {
  mi_assert(!mi_page_is_busy(page));
  mi_heap_remove_page(heap, page);
  if (page->bin == MI_BIN_HUGE) {
    mi_huge_page_free(page);
  } else {
    mi_thread_stat_down(heap->tld, pages);
    mi_segment_page_free(heap->segments, page);
  }
}

/* Whether other heaps will soon find none. */
static bool is_single_room_scarce(void) {
  return atomic_load_explicit(&single_room_of_all, memory_order_relaxed) > MOST_SINGLES_OF_ALL / 2;
}

void mi_heap_leave_single_room(mi_heap_t* heap) {
  size_t unused = heap->single_room - heap->single_bytes;
  if (mi_likely(unused == 0)) return;
  atomic_fetch_sub_explicit(&single_room_of_all, unused, memory_order_relaxed);
  heap->single_room = heap->single_bytes;
}

void mi_heap_unretire(mi_heap_t* heap, mi_page_t* page) {
  if (mi_likely(page->retire_expire == 0)) return;
  page->retire_expire = 0;
  heap->retired_bytes -= page->touched_bytes;
  if (page->reserved == 1) {
    mi_heap_leave_single_room(heap);
    mi_heap_forget_single(heap, page);
    heap->single_bytes -= page->touched_bytes;
    /* A thread that falls asleep now would have the room for ever. */
    if (mi_unlikely(is_single_room_scarce())) mi_heap_leave_single_room(heap);
  } else {
    atomic_fetch_sub_explicit(&retired_by_all, page->touched_bytes, memory_order_relaxed);
  }
}

/* Whether it is better to lay an empty page out again. In a page that was laid out whole, blocks
   that were freed in random order are in no cache by the time they are needed; laid out again they
   come in the order of their addresses (bench/NOTES.md). Blocks that were freed oldest first, or
   newest first, are a list of neighbours already. Never in checked builds: these find by the page's
   lists what was written to after it was freed, or freed twice. */
static bool is_worth_starting_anew(const mi_page_t* page) {
  if (MI_CHECKED || page->capacity < page->reserved || page->block_size > MI_SMALL_SIZE_MAX) {
    return false;
  }
  const uint8_t* last = (const uint8_t*)page->local_free;
  const uint8_t* before =
      last == NULL ? NULL : (const uint8_t*)mi_block_next(page, page->local_free);
  return before != NULL && before != last - page->block_size && before != last + page->block_size;
}

static bool may_retire(const mi_heap_t* heap, const mi_page_t* page) {
  return !mi_rare(mi_rare_retire) && !page->in_full &&
         heap->pages[page->bin].last->retire_expire == 0 && has_budget(heap, counts_for(page));
}

/* Whether other threads freed blocks in pages on the delayed list, where the owner puts SHARED
   pages, too. A few pages are enough to look at; the rest is looked at when the frees are
   completed. */
static bool others_told(mi_heap_t* heap) {
  enum { MOST = 8 };
  const mi_page_t* page = atomic_load_explicit(&heap->delayed, memory_order_acquire);
  for (unsigned i = 0; page != NULL && i < MOST; i++, page = mi_page_delayed_next(page)) {
    if (mi_page_thread_free_count(page) > page->owner_shared) return true;
  }
  return false;
}

bool mi_page_watch(mi_heap_t* heap, mi_page_t* page) {
  enum { FEW = 16 };
  /* A page that was retired is in use again: else it would be given back when `used` becomes 0. */
  mi_heap_unretire(heap, page);
  mi_page_count_all(page);
  size_t others = mi_page_thread_free_count(page);
  size_t alive = page->used > others ? page->used - others : 0;
  if (alive == 0 && others > 0 && !page->in_full) mi_page_free_collect(page);
  if (alive == 0) return mi_page_is_empty(page);
  if (others > 0 || others_told(heap)) mi_heap_others_free(heap);
  bool some =
      others > 0 && (alive <= FEW || mi_page_others_prevail(page->capacity - page->used, others));
  bool can_share = page->free == NULL && page->capacity == page->reserved;
  if (can_share && (some || mi_heap_shares(heap, page))) {
    mi_page_share(page);
  } else if ((others > 0 || alive > FEW) && !mi_page_is_shared(page)) {
    /* Not if it is shared: then thread_free may seem empty because a purge holds the list. */
    mi_page_count_only(page, (alive + 1) / 2);
  }
  return false;
}

/* For a full page of which enough blocks were freed. Returns whether it is empty. */
static bool leave_full(mi_heap_t* heap, mi_page_t* page) {
  /* If other threads were first, the page leaves the full queue when their notice is read. */
  if (mi_page_clear_full(page)) mi_page_leave_full(heap, page);
  return mi_page_watch(heap, page);
}

static void count_retired(mi_heap_t* heap, mi_page_t* page) {
  page->touched_bytes = (uint32_t)counts_for(page);
  page->retire_expire = page->block_size <= MI_SMALL_BLOCK_MAX ? RETIRE_SMALL : RETIRE_OTHER;
  heap->retired_bytes += page->touched_bytes;
  heap->tld->stats.pages_retire++;
}

/* Makes the heap's room at least `bytes`. False if all heaps together would have too much then. */
static bool claim_single_room(mi_heap_t* heap, size_t bytes) {
  if (mi_likely(bytes <= heap->single_room)) return true;
  size_t more = bytes - heap->single_room;
  size_t all = atomic_load_explicit(&single_room_of_all, memory_order_relaxed);
  if (all + more > MOST_SINGLES_OF_ALL) return false;
  all = atomic_fetch_add_explicit(&single_room_of_all, more, memory_order_relaxed);
  if (mi_unlikely(all + more > MOST_SINGLES_OF_ALL)) {
    atomic_fetch_sub_explicit(&single_room_of_all, more, memory_order_relaxed);
    return false;
  }
  heap->single_room = bytes;
  return true;
}

/* Whether there is room for this page of one block. No older one goes for it: the caller may be
   walking through their queue. */
static bool has_room_for_single(mi_heap_t* heap, const mi_page_t* page) {
  size_t bytes = heap->single_bytes + counts_for(page);
  return heap->single_count < MI_SINGLES && bytes <= MI_SINGLE_BLOCK_MAX &&
         heap->retired_bytes + counts_for(page) <= MOST_OF_HEAP && claim_single_room(heap, bytes);
}

static void retire_single(mi_heap_t* heap, mi_page_t* page) {
  mi_page_clear_full_alone(page);
  if (mi_rare(mi_rare_retire) || !mi_heap_may_keep_single(heap, page) ||
      !has_room_for_single(heap, page)) {
    mi_heap_free_page(heap, page);
    return;
  }
  mi_heap_keep_single(heap, page);
  count_retired(heap, page);
  heap->single_bytes += page->touched_bytes;
}

static void retire(mi_heap_t* heap, mi_page_t* page) {
  if (page->reserved == 1) {
    retire_single(heap, page);
    return;
  }
  if (page->in_full) {
    if (!leave_full(heap, page)) return;
  } else if (mi_page_is_watched(page) && !mi_page_watch(heap, page)) {
    return;
  }
  /* The purger took the page at rest before we had the lock (page/scavenge.c): its blocks are on
     thread_free, and count as used. */
  if (mi_unlikely(!mi_page_is_empty(page))) return;
  if (!may_retire(heap, page)) {
    mi_heap_free_page(heap, page);
    return;
  }
  if (page->next != NULL) {
    mi_heap_remove_page(heap, page);
    mi_heap_add_page(heap, page, false);
  }
  count_retired(heap, page);
  atomic_fetch_add_explicit(&retired_by_all, page->touched_bytes, memory_order_relaxed);
  if (is_worth_starting_anew(page)) mi_page_start_anew(page);
  if (page->bin < heap->retired_min) heap->retired_min = page->bin;
  if (page->bin > heap->retired_max) heap->retired_max = page->bin;
}

void mi_page_retire(mi_page_t* page) {
  if (mi_likely(page->retire_expire != 0)) return; /* it is retired already */
  mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_race_window();
  mi_owner_enter(lock);
  retire(heap, page);
  mi_owner_leave(lock);
}

/* Ages a retired, empty page by one round. Whether it is still there. */
static bool age(mi_heap_t* heap, mi_page_t* page, bool force) {
  if (force || page->retire_expire == 1) {
    mi_heap_free_page(heap, page);
    return false;
  }
  page->retire_expire--;
  return true;
}

void mi_heap_collect_retired(mi_heap_t* heap, bool force) {
  if (mi_unlikely(heap->visiting)) return;
  uint32_t min = MI_BIN_LARGE;
  uint32_t max = 0;
  for (uint32_t bin = heap->retired_min; bin <= heap->retired_max; bin++) {
    mi_page_t* page = heap->pages[bin].last;
    if (page == NULL || page->retire_expire == 0) continue;
    if (!mi_page_is_empty(page)) {
      mi_heap_unretire(heap, page); /* in use again */
      continue;
    }
    if (!age(heap, page, force)) continue;
    if (bin < min) min = bin;
    if (bin > max) max = bin;
  }
  heap->retired_min = min;
  heap->retired_max = max;
  mi_page_t** single = heap->singles + heap->single_count;
  while (single > heap->singles) (void)age(heap, *--single, force);
  mi_heap_leave_single_room(heap);
}

/* Of two pages the one that may be given up, and is to go sooner; NULL: neither. `page` may be
   NULL, or in use. A page of few bytes stays, since that saves little: where a thread has a few
   blocks of each of many classes, each class without a page would take that of another one, which
   then does the same. All of them would go through all units, and what one has touched there stays
   resident behind what the next one needs: that took up to three times as much memory
   (bench/NOTES.md). */
static mi_page_t* sooner(mi_page_t* next, mi_page_t* page) {
  enum { WORTH_GIVING_UP = 12 << 10 };
  if (page == NULL || page->retire_expire == 0 || !mi_page_is_empty(page)) return next;
  if (page->touched_bytes < WORTH_GIVING_UP) return next;
  if (mi_segment_of(page)->used == 1) return next; /* the segment would go with it */
  return next == NULL || page->retire_expire < next->retire_expire ? page : next;
}

mi_segment_t* mi_heap_give_up_retired(mi_heap_t* heap) {
  if (mi_unlikely(heap->visiting)) return NULL;
  mi_page_t* next = NULL;
  for (uint32_t bin = heap->retired_min; bin <= heap->retired_max; bin++) {
    next = sooner(next, heap->pages[bin].last);
  }
  mi_page_t** end = heap->singles + heap->single_count;
  for (mi_page_t** single = heap->singles; single < end; single++) next = sooner(next, *single);
  if (next == NULL) return NULL;
  mi_segment_t* segment = mi_segment_of(next);
  mi_heap_free_page(heap, next);
  return segment;
}

void mi_heap_age_retired(mi_heap_t* heap) {
  if (mi_unlikely(heap->until_round-- == 0)) {
    heap->until_round = HEARTBEATS_PER_ROUND - 1;
    mi_heap_collect_retired(heap, false);
    mi_heap_forget_loans(heap);
  }
}

mi_cold void mi_retired_forked(const mi_heap_t* heap) {
  size_t bytes = 0;
  size_t room = 0;
  for (; heap != NULL; heap = heap->next) {
    bytes += heap->retired_bytes - heap->single_bytes;
    room += heap->single_room;
  }
  atomic_store_explicit(&retired_by_all, bytes, memory_order_relaxed);
  atomic_store_explicit(&single_room_of_all, room, memory_order_relaxed);
}
