#include "heap/magazine.h"

#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine_depth.h"
#include "heap/magazine_fence.h"
#include "heap/queue.h"
#include "segment/memory.h"
#include "segment/purge.h"
#include "segment/purger.h"

_Atomic(mi_magazine_t*) mi_magazines;

/* ---- Start and end ---- */

void mi_magazine_watch(mi_magazine_t* magazine) {
  if (!atomic_load_explicit(&magazine->contended, memory_order_relaxed)) {
    mi_magazine_expect_takers(magazine);
    atomic_store_explicit(&magazine->contended, true, memory_order_relaxed);
  }
  /* Release: a sweep that finds it set sees the blocks that are in the magazine. */
  atomic_store_explicit(&magazine->watched, true, memory_order_release);
  mi_magazine_announce();
}

static bool take(mi_magazine_t* magazine) {
  uintptr_t nobody = 0;
  if (atomic_load_explicit(&magazine->owner, memory_order_relaxed) != nobody) return false;
  /* Acquire: pairs with the release of mi_magazine_end_slow. */
  return atomic_compare_exchange_strong_explicit(&magazine->owner, &nobody, mi_os_thread_id(),
                                                 memory_order_acquire, memory_order_relaxed);
}

static mi_magazine_t* make(void) {
  mi_magazine_t* magazine = mi_memory_map(sizeof(*magazine), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (magazine == NULL) return NULL;
  mi_magazine_start_anew(magazine);
  atomic_store_explicit(&magazine->owner, mi_os_thread_id(), memory_order_relaxed);
  magazine->next = atomic_load_explicit(&mi_magazines, memory_order_relaxed);
  /* Release: pairs with the acquire of a thread that walks the list, which then sees `next`. */
  while (!atomic_compare_exchange_weak_explicit(&mi_magazines, &magazine->next, magazine,
                                                memory_order_release, memory_order_relaxed)) {
  }
  return magazine;
}

static mi_magazine_t* find_or_make(void) {
  mi_magazine_t* magazine = atomic_load_explicit(&mi_magazines, memory_order_acquire);
  while (magazine != NULL && !take(magazine)) magazine = magazine->next;
  return magazine != NULL ? magazine : make();
}

static void begin_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  mi_magazine_set_freer(heap, page);
  if (page->in_full && mi_heap_shares(heap, page)) mi_page_share(page);
}

void mi_magazine_start_slow(mi_heap_t* heap) {
  if (MI_TRACK || heap != &heap->tld->backing) return;
  long delay = mi_option_get(mi_option_purge_delay);
  if (delay == 0) return; /* no memory is to wait */
  heap->magazine = find_or_make();
  if (heap->magazine == NULL) return;
  if (delay > 0) mi_magazine_watch(heap->magazine);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, begin_page, NULL);
}

void mi_magazine_end_slow(mi_magazine_t* magazine) {
  atomic_store_explicit(&magazine->watched, false, memory_order_relaxed);
  atomic_store_explicit(&magazine->owner, 0, memory_order_release);
}

/* ---- Giving blocks back ---- */

void mi_magazine_return(mi_block_t* block) {
  if (MI_HARDENED) mi_magazine_check(block);
  mi_page_return_block(mi_page_of(block), block);
}

static mi_block_t* pop(mi_magazine_t* magazine, unsigned size_class) {
  return mi_magazine_pop(magazine, size_class, mi_magazine_in_use(magazine, size_class));
}

bool mi_magazine_return_one(mi_magazine_t* magazine, unsigned size_class) {
  mi_block_t* block = pop(magazine, size_class);
  if (block == NULL) return false;
  mi_page_return_block(mi_page_of(block), block);
  return true;
}

void mi_magazine_flush_slow(mi_magazine_t* magazine) {
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    while (mi_magazine_return_one(magazine, size_class)) {
    }
  }
  mi_magazine_start_anew(magazine);
}

void mi_magazine_settle_slow(mi_magazine_t* magazine) {
  mi_magazine_flush_slow(magazine);
  /* A sweep that took a block before we found it gone is seen here: mi_magazine_empty_slot. */
  _Atomic(uint32_t)* visitors = &magazine->visitors;
  for (unsigned round = 0; atomic_load_explicit(visitors, memory_order_acquire) != 0; round++) {
    mi_os_yield(round);
  }
}

bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin) {
  if (bin <= mi_bin_of(MI_SMALL_SIZE_MAX) || bin >= MI_BIN_LARGE) {
    return false;
  }
  mi_block_t* block = pop(heap->magazine, mi_magazine_class(bin));
  if (block == NULL) return false;
  mi_page_t* page = mi_page_of(block);
  /* malloc is to find the page, however few of its blocks are free. First, since the page may end
     with this block. */
  if (page->in_full && mi_page_clear_full(page)) mi_page_leave_full(heap, page);
  mi_page_return_block(page, block);
  mi_heap_delayed_free(heap);
  return true;
}

/* ---- Putting blocks in ---- */

_Atomic(int64_t) mi_magazine_due;
_Atomic(bool) mi_magazine_announced;

void mi_magazine_announce(void) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  if (at == 0) return;
  /* Sequentially consistent, both: mi_magazine_round. */
  atomic_store(&mi_magazine_announced, true);
  int64_t nothing = 0;
  if (atomic_compare_exchange_strong(&mi_magazine_due, &nothing, at)) {
    mi_purger_count(MI_WAITING_MAGAZINES, 1);
  }
}

void mi_magazine_announce_and_tell(mi_magazine_t* magazine, unsigned size_class) {
  if (!mi_magazine_is_watched(magazine)) return;
  if (!atomic_load_explicit(&mi_magazine_announced, memory_order_relaxed)) mi_magazine_announce();
  unsigned in_use = mi_magazine_in_use(magazine, size_class);
  if (in_use < mi_magazine_tells_at(magazine, size_class)) return;
  mi_magazine_tell_beyond(magazine, size_class, in_use);
  if (mi_purge_time(MI_PURGE_LOOKS) == 0) return; /* nothing is ever purged */
  mi_purger_count(MI_WAITING_MAGAZINES, 1);
}

size_t mi_magazine_count(const mi_magazine_t* magazine, const mi_page_t* page) {
  unsigned size_class = mi_magazine_class(page->bin);
  const _Atomic(uintptr_t)* slots = magazine->slots[size_class];
  unsigned in_use = mi_magazine_in_use(magazine, size_class);
  /* What mi_page_contains asks, once for all slots: a free without room may wait for this. */
  uintptr_t start = (uintptr_t)page->start;
  size_t size = page->reserved * page->block_size;
  size_t count = 0;
  for (unsigned i = 0; i < in_use; i++) {
    count += atomic_load_explicit(&slots[i], memory_order_relaxed) - start < size;
  }
  return count;
}

/* Returns the blocks of the page. The others stay where they are, for sweeps to see. */
static void return_those_of(mi_magazine_t* magazine, mi_page_t* page) {
  unsigned size_class = mi_magazine_class(page->bin);
  for (unsigned i = mi_magazine_in_use(magazine, size_class); i-- > 0;) {
    _Atomic(uintptr_t)* slot = &magazine->slots[size_class][i];
    uintptr_t word = atomic_load_explicit(slot, memory_order_relaxed);
    if (!mi_page_contains(page, mi_magazine_block(word))) continue;
    /* The slot is in use, so others may be taking the block. Acquire: mi_magazine_empty_slot. */
    word = atomic_exchange_explicit(slot, 0, memory_order_acquire);
    mi_block_t* block = mi_magazine_block(word);
    if (block != NULL) mi_magazine_return(block);
  }
  mi_magazine_trim(magazine, size_class);
}

/* If the page, of which a block is being freed, is in use only for that block and those in the
   magazine, these go back to it. */
static void let_go(const mi_putting_t* at) {
  size_t others = mi_magazine_count_alive(at->page) - 1;
  if (others == 0 || others > at->in_use || others > mi_magazine_count(at->magazine, at->page))
    return;
  return_those_of(at->magazine, at->page);
  mi_magazine_close(at->magazine, at->size_class);
}

bool mi_magazine_free(mi_heap_t* heap, mi_page_t* page, mi_block_t* block) {
  mi_magazine_t* magazine = heap->magazine;
  if (heap->visiting) return false;
  mi_magazine_trim(magazine, mi_magazine_class(page->bin)); /* others may have taken some out */
  mi_putting_t at = mi_magazine_putting(magazine, page);
  if (!mi_magazine_wants(&at)) return false;
  if (!mi_magazine_has_room(&at)) {
    let_go(&at);
    mi_magazine_overflow(magazine, at.size_class);
    return false;
  }
  mi_magazine_push(&at, block);
  return true;
}

bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block) {
  if (!page->to_magazine) return false;
  const mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  unsigned size_class = mi_magazine_class(page->bin);
  const _Atomic(uintptr_t)* slots = heap->magazine->slots[size_class];
  unsigned in_use = mi_magazine_in_use(heap->magazine, size_class);
  for (unsigned i = 0; i < in_use; i++) {
    if (mi_magazine_block(atomic_load_explicit(&slots[i], memory_order_relaxed)) == block)
      return true;
  }
  return false;
}

void mi_magazine_check(mi_block_t* block) {
  const mi_page_t* page = mi_page_of(block);
  if (mi_block_peek_next(page, block) != NULL) mi_block_report_written(block);
  mi_block_unlink(block);
}
