#include "heap/magazine.h"

#include <string.h>

#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/queue.h"
#include "os/rare.h"
#include "segment/memory.h"
#include "segment/purge.h"
#include "segment/purger.h"

static _Atomic(mi_magazine_t*) all;

/* ---- Start and end ---- */

static bool take(mi_magazine_t* magazine) {
  uintptr_t nobody = 0;
  /* Acquire: pairs with the release of mi_magazine_end_slow. */
  return atomic_compare_exchange_strong_explicit(&magazine->owner, &nobody, mi_os_thread_id(),
                                                 memory_order_acquire, memory_order_relaxed);
}

static mi_magazine_t* make(void) {
  mi_magazine_t* magazine = mi_memory_map(sizeof(*magazine), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (magazine == NULL) return NULL;
  atomic_store_explicit(&magazine->owner, mi_os_thread_id(), memory_order_relaxed);
  magazine->next = atomic_load_explicit(&all, memory_order_relaxed);
  /* Release: pairs with the acquire of a thread that walks the list, which then sees `next`. */
  while (!atomic_compare_exchange_weak_explicit(&all, &magazine->next, magazine,
                                                memory_order_release, memory_order_relaxed)) {
  }
  return magazine;
}

static mi_magazine_t* find_or_make(void) {
  mi_magazine_t* magazine = atomic_load_explicit(&all, memory_order_acquire);
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
  if (mi_option_get(mi_option_purge_delay) == 0) return; /* no memory is to wait */
  heap->magazine = find_or_make();
  if (heap->magazine == NULL) return;
  if (heap->others_free) mi_magazine_watch(heap);
  mi_heap_for_each_page(heap, MI_BIN_COUNT, begin_page, NULL);
}

/* Whether sweeps can have all threads fenced.

     UNASKED -> WANTED   by the first thread whose magazine is watched
     either -> ASKED     by the purger; it stays so if the system has no such fence
     ASKED -> USABLE     by the purger
     USABLE -> ASKED     when the system refuses one after all
     ASKED -> WANTED     in a forked child */
enum { UNASKED, WANTED, ASKED, USABLE };
static _Atomic(uint32_t) fence;

static bool fence_changes(uint32_t from, uint32_t to) {
  return atomic_compare_exchange_strong(&fence, &from, to);
}

bool mi_magazine_wants_fence(void) {
  return atomic_load_explicit(&fence, memory_order_relaxed) == WANTED;
}

static void pop_by_exchange(mi_magazine_t* magazine) {
  atomic_store_explicit(&magazine->by_exchange, true, memory_order_relaxed);
  atomic_fetch_add_explicit(&magazine->takers, 1, memory_order_relaxed);
}

void mi_magazine_watch_slow(mi_magazine_t* magazine) {
  bool is_first = !atomic_load_explicit(&magazine->contended, memory_order_relaxed);
  if (is_first && atomic_load(&fence) != USABLE) {
    pop_by_exchange(magazine);
    fence_changes(UNASKED, WANTED);
  }
  atomic_store_explicit(&magazine->contended, true, memory_order_relaxed);
  /* Release: a sweep that finds it set sees the blocks that are in the magazine. */
  atomic_store_explicit(&magazine->watched, true, memory_order_release);
  mi_magazine_announce();
}

void mi_magazine_end_slow(mi_magazine_t* magazine) {
  atomic_store_explicit(&magazine->watched, false, memory_order_relaxed);
  /* If the thread was cancelled in the middle of a pop. */
  atomic_store_explicit(&magazine->popping, false, memory_order_relaxed);
  atomic_store_explicit(&magazine->owner, 0, memory_order_release);
}

void mi_magazines_unmap(void) {
  mi_magazine_t* magazine = atomic_exchange_explicit(&all, NULL, memory_order_acquire);
  while (magazine != NULL) {
    mi_magazine_t* next = magazine->next;
    mi_memory_unmap(magazine, sizeof(*magazine));
    magazine = next;
  }
}

/* ---- Giving blocks back ---- */

/* Pops the class. *page: the page of the block. */
static mi_block_t* pop(mi_magazine_t* magazine, unsigned size_class, mi_page_t** page) {
  mi_block_t* block = mi_magazine_pop(magazine, size_class);
  if (block == NULL) return NULL;
  *page = mi_page_of(block);
  mi_magazine_took(*page, block);
  return block;
}

void mi_magazine_flush_slow(mi_magazine_t* magazine) {
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    mi_block_t* block;
    mi_page_t* page;
    while ((block = pop(magazine, size_class, &page)) != NULL) mi_page_return_block(page, block);
  }
}

void mi_magazine_settle_slow(mi_magazine_t* magazine) {
  mi_magazine_flush_slow(magazine);
  /* A sweep that took a block before we found it gone is seen here: mi_magazine_pop. */
  _Atomic(uint32_t)* visitors = &magazine->visitors;
  for (unsigned round = 0; atomic_load_explicit(visitors, memory_order_acquire) != 0; round++) {
    mi_os_yield(round);
  }
}

bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin) {
  if (bin <= mi_bin_of(MI_SMALL_SIZE_MAX) || bin >= MI_BIN_LARGE) {
    return false;
  }
  mi_page_t* page;
  mi_block_t* block = pop(heap->magazine, mi_magazine_class(bin), &page);
  if (block == NULL) return false;
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

/* How many units a magazine counts for where it is decided whether purging is worth it. */
enum { SOME_UNITS = 8 };

void mi_magazine_announce(void) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  if (at == 0) return;
  /* Sequentially consistent, both: mi_magazine_round. */
  atomic_store(&mi_magazine_announced, true);
  int64_t nothing = 0;
  if (atomic_compare_exchange_strong(&mi_magazine_due, &nothing, at)) mi_purger_count(SOME_UNITS);
}

size_t mi_magazine_count(const mi_magazine_t* magazine, const mi_page_t* page) {
  unsigned size_class = mi_magazine_class(page->bin);
  size_t count = 0;
  for (unsigned i = 0; i < magazine->count[size_class]; i++) {
    uintptr_t word = atomic_load_explicit(&magazine->slots[size_class][i], memory_order_relaxed);
    count += mi_page_contains(page, (const void*)word);
  }
  return count;
}

static void return_those_of(mi_magazine_t* magazine, const mi_page_t* page) {
  unsigned size_class = mi_magazine_class(page->bin);
  mi_page_t* pages[MI_MAGAZINE_DEPTH];
  mi_block_t* others[MI_MAGAZINE_DEPTH];
  size_t count = 0;
  mi_block_t* block;
  mi_page_t* its_page;
  while ((block = pop(magazine, size_class, &its_page)) != NULL) {
    if (its_page == page) {
      mi_page_return_block(its_page, block);
    } else {
      others[count] = block;
      pages[count++] = its_page;
    }
  }
  for (; count > 0; count--) mi_magazine_put(magazine, pages[count - 1], others[count - 1]);
}

/* If the page, of which a block is being freed, is in use only for that block and those in the
   magazine, these go back to it. Returns whether they did. */
static bool lets_go(mi_magazine_t* magazine, mi_page_t* page) {
  if (mi_likely(mi_magazine_page_stays(page))) return false;
  /* Other threads may have taken some out. */
  page->in_magazine = (uint16_t)mi_magazine_count(magazine, page);
  if (mi_magazine_page_stays(page)) return false;
  return_those_of(magazine, page);
  return true;
}

bool mi_magazine_free(mi_heap_t* heap, mi_page_t* page, mi_block_t* block) {
  mi_magazine_t* magazine = heap->magazine;
  if (heap->visiting || lets_go(magazine, page)) return false;
  if (!mi_magazine_has_room(magazine, page)) return false;
  mi_magazine_push(magazine, page, block);
  return true;
}

bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block) {
  if (!page->to_magazine) return false;
  const mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  const _Atomic(uintptr_t)* slots = heap->magazine->slots[mi_magazine_class(page->bin)];
  for (unsigned i = 0; i < MI_MAGAZINE_DEPTH; i++) {
    if (mi_magazine_block(atomic_load_explicit(&slots[i], memory_order_relaxed)) == block)
      return true;
  }
  return false;
}

void mi_magazine_check(const mi_page_t* page, mi_block_t* block) {
  if (mi_block_peek_next(page, block) != NULL) mi_block_report_written(block);
  mi_block_unlink(block);
}

/* ---- Taking ---- */

void mi_magazine_prepare_fence(void) {
  if (!fence_changes(WANTED, ASKED) && !fence_changes(UNASKED, ASKED)) return;
  if (mi_os_fence_threads_start()) atomic_store(&fence, USABLE);
}

/* When the system refused a fence; 0: it never did. */
static _Atomic(int64_t) refused_at;

/* For a process that gave up the right to a fence, as by a filter of system calls: owners use
   exchanges again. */
static mi_cold void do_without_fence(mi_magazine_t* first) {
  atomic_store(&refused_at, mi_os_now());
  if (!fence_changes(USABLE, ASKED)) return;
  for (mi_magazine_t* magazine = first; magazine != NULL; magazine = magazine->next) {
    if (atomic_load(&magazine->contended) && !atomic_load(&magazine->by_exchange)) {
      pop_by_exchange(magazine);
    }
  }
}

/* Whether all pops that began before the system refused a fence are over, or seen to be under
   way. */
static bool is_settled(void) {
  enum { SETTLED_MS = 100 };
  int64_t at = atomic_load(&refused_at);
  return at == 0 || mi_os_now() >= at + SETTLED_MS;
}

/* From now on the owners of these magazines pop by exchanges, but for pops that are under way: of
   these `popping` tells, if all threads were fenced. Returns whether they were. An owner that did
   not see `takers` had its fence after it looked; we see what it said before. */
static bool begin_taking(mi_magazine_t* first) {
  for (mi_magazine_t* magazine = first; magazine != NULL; magazine = magazine->next) {
    atomic_fetch_add(&magazine->takers, 1);
  }
  mi_race_window();
  if (atomic_load(&fence) != USABLE) return false;
  if (mi_os_fence_threads()) return true;
  do_without_fence(first);
  return false;
}

static void end_taking(mi_magazine_t* first) {
  for (mi_magazine_t* magazine = first; magazine != NULL; magazine = magazine->next) {
    /* Release: an owner that pops without an exchange again sees what was taken. */
    atomic_fetch_sub_explicit(&magazine->takers, 1, memory_order_release);
  }
}

/* Between begin_taking and end_taking: whether blocks may be taken out of the magazine. */
static bool may_take(mi_magazine_t* magazine, bool fenced) {
  bool by_exchange = atomic_load_explicit(&magazine->by_exchange, memory_order_relaxed);
  if (by_exchange && fenced && atomic_exchange(&magazine->by_exchange, false)) {
    atomic_fetch_sub_explicit(&magazine->takers, 1, memory_order_relaxed); /* ours is left */
  }
  /* Acquire: pairs with the release at the end of a pop. */
  return (fenced || (by_exchange && is_settled())) &&
         !atomic_load_explicit(&magazine->popping, memory_order_acquire);
}

/* ---- Sweeping ---- */

/* What a sweep does with the blocks it finds. */
typedef enum wish_e {
  MARK,     /* notes that it saw them */
  TAKE_OLD, /* takes those that the sweep before saw, and notes that it saw the others */
  TAKE_ALL
} wish_t;

static bool is_wanted(uintptr_t word, wish_t wish) {
  return wish == TAKE_ALL ? word != 0 : wish == TAKE_OLD && (word & MI_MAGAZINE_SEEN) != 0;
}

/* Takes the block out of the slot, or notes that it was seen. If it is not taken, returns NULL, and
   sets *left if there was one. */
static mi_block_t* take_from(_Atomic(uintptr_t)* slot, wish_t wish, bool* left) {
  uintptr_t word = atomic_load_explicit(slot, memory_order_relaxed);
  if (word == 0) return NULL;
  bool takes = is_wanted(word, wish);
  uintptr_t wanted = takes ? 0 : word | MI_MAGAZINE_SEEN;
  mi_race_window();
  /* Acquire: pairs with the release of the push. Release: an owner that finds the block gone sees
     us in `visitors`. */
  bool done = atomic_compare_exchange_strong_explicit(slot, &word, wanted, memory_order_acq_rel,
                                                      memory_order_relaxed);
  if (done && takes) return mi_magazine_block(word);
  *left = true;
  return NULL;
}

/* Sweeps a slot of another thread's magazine. Returns whether a block is left there. */
static bool sweep_slot(mi_magazine_t* magazine, _Atomic(uintptr_t)* slot, wish_t wish) {
  uintptr_t word = atomic_load_explicit(slot, memory_order_relaxed);
  bool left = false;
  if (word == 0) return false;
  /* Counted before the block is taken, so that an owner that finds it gone waits. Release at the
     end: by then the block is on its page. */
  atomic_fetch_add_explicit(&magazine->visitors, 1, memory_order_relaxed);
  mi_block_t* block = take_from(slot, wish, &left);
  mi_race_window();
  if (block != NULL) mi_page_free_block_mt(mi_page_of(block), block);
  atomic_fetch_sub_explicit(&magazine->visitors, 1, memory_order_release);
  return left;
}

/* Sweeps this thread's own magazine. Returns whether a block is left there. */
static bool sweep_mine(mi_magazine_t* magazine) {
  bool left = false;
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    _Atomic(uintptr_t)* slots = magazine->slots[size_class];
    for (unsigned i = 0; i < magazine->count[size_class]; i++) {
      mi_block_t* block = take_from(&slots[i], TAKE_OLD, &left);
      if (block == NULL) continue;
      mi_page_t* page = mi_page_of(block);
      mi_magazine_took(page, block);
      mi_page_return_block(page, block);
    }
    uint8_t* count = &magazine->count[size_class];
    /* Acquire: as in mi_magazine_pop. */
    while (*count > 0 && atomic_load_explicit(&slots[*count - 1], memory_order_acquire) == 0) {
      --*count;
    }
  }
  return left;
}

static bool is_mine(const mi_magazine_t* magazine) {
  return atomic_load_explicit(&magazine->owner, memory_order_relaxed) == mi_os_thread_id();
}

/* Sweeps another thread's magazine. Returns whether a block is left there. */
static bool sweep_other(mi_magazine_t* magazine, wish_t wish) {
  bool left = false;
  _Atomic(uintptr_t)* slots = &magazine->slots[0][0];
  for (size_t i = 0; i < (size_t)MI_MAGAZINE_CLASSES * MI_MAGAZINE_DEPTH; i++) {
    left |= sweep_slot(magazine, &slots[i], wish);
  }
  return left;
}

static bool is_watched_other(const mi_magazine_t* magazine) {
  /* Acquire: pairs with the release of mi_magazine_watch_slow. */
  return atomic_load_explicit(&magazine->watched, memory_order_acquire) && !is_mine(magazine);
}

/* Whether another thread's watched magazine has a block that the sweep would take, or its owner
   need not use exchanges any more. */
static bool has_wanted(const mi_magazine_t* magazine, wish_t wish) {
  if (!is_watched_other(magazine)) return false;
  if (atomic_load_explicit(&magazine->by_exchange, memory_order_relaxed) &&
      atomic_load(&fence) == USABLE) {
    return true;
  }
  const _Atomic(uintptr_t)* slots = &magazine->slots[0][0];
  for (size_t i = 0; i < (size_t)MI_MAGAZINE_CLASSES * MI_MAGAZINE_DEPTH; i++) {
    if (is_wanted(atomic_load_explicit(&slots[i], memory_order_relaxed), wish)) return true;
  }
  return false;
}

/* Sweeps the watched magazines of other threads. Returns whether a block is left there. */
static bool sweep_others(wish_t wish) {
  mi_magazine_t* first = atomic_load_explicit(&all, memory_order_acquire);
  bool wanted = false;
  bool left = false;
  mi_magazine_t* magazine = first;
  for (; magazine != NULL && !wanted; magazine = magazine->next) {
    wanted = has_wanted(magazine, wish);
  }
  bool fenced = wanted && begin_taking(first);
  for (magazine = first; magazine != NULL; magazine = magazine->next) {
    if (!is_watched_other(magazine)) continue;
    left |= sweep_other(magazine, wanted && may_take(magazine, fenced) ? wish : MARK);
  }
  if (wanted) end_taking(first);
  return left;
}

void mi_magazine_take_all(void) { (void)sweep_others(TAKE_ALL); }

/* Returns whether a block is left in a watched magazine. */
static bool sweep_watched(void) {
  bool left = sweep_others(TAKE_OLD);
  mi_magazine_t* magazine = atomic_load_explicit(&all, memory_order_acquire);
  for (; magazine != NULL; magazine = magazine->next) {
    if (is_mine(magazine) && atomic_load_explicit(&magazine->watched, memory_order_relaxed)) {
      left |= sweep_mine(magazine);
    }
  }
  return left;
}

/* Not sooner than all pushes are over that were under way, also where purge_delay is shorter than
   the clock's ticks. */
static int64_t last_sweep_time(void) {
  enum { LEAST_MS = 10 };
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  int64_t least = mi_os_now() + LEAST_MS;
  return at != 0 && at < least ? least : at;
}

/* A sweep that finds nothing may miss a push whose thread still found a sweep announced. So the
   first sweep that finds nothing only ends the announcement. What comes too late for it is seen by
   one more sweep, when those pushes are long over. */
static void sweep_and_announce(void) {
  bool is_last = !atomic_load(&mi_magazine_announced);
  if (sweep_watched()) {
    mi_magazine_announce();
  } else if (!is_last) {
    atomic_store(&mi_magazine_announced, false);
    atomic_store(&mi_magazine_due, last_sweep_time());
  } else {
    /* Here the time is stored first and the flag read then; mi_magazine_announce does it the other
       way round. */
    atomic_store(&mi_magazine_due, 0);
    if (atomic_load(&mi_magazine_announced)) mi_magazine_announce();
  }
}

static bool is_due(int64_t now) {
  int64_t due = atomic_load(&mi_magazine_due);
  return due != 0 && (now >= due || mi_rare(mi_rare_purge));
}

/* One thread at a time sweeps, or the last sweep could follow the one before at once. The others do
   not wait. */
static _Atomic(bool) sweeping;

int64_t mi_magazine_round(int64_t now) {
  if (!is_due(now)) return atomic_load(&mi_magazine_due);
  if (atomic_exchange(&sweeping, true)) return mi_purge_time(MI_PURGE_LOOKS);
  if (is_due(now)) {
    int64_t next = mi_purge_time(MI_PURGE_LOOKS);
    atomic_store(&mi_magazine_due, next);
    if (next != 0)
      sweep_and_announce();
    else
      atomic_store(&mi_magazine_announced, false); /* nothing is to be purged any more */
  }
  atomic_store(&sweeping, false);
  return atomic_load(&mi_magazine_due);
}

/* ---- Fork ---- */

void mi_magazines_forked(const mi_heap_t* heap) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  atomic_store_explicit(&sweeping, false, memory_order_relaxed);
  atomic_store_explicit(&mi_magazine_announced, at != 0, memory_order_relaxed);
  atomic_store_explicit(&mi_magazine_due, at, memory_order_relaxed);
  /* A lost thread may have asked for the fence, which then is the parent's. */
  fence_changes(ASKED, WANTED);
  mi_magazine_t* mine = heap == NULL ? NULL : heap->magazine;
  mi_magazine_t* magazine = atomic_load_explicit(&all, memory_order_relaxed);
  for (; magazine != NULL; magazine = magazine->next) {
    if (magazine != mine) {
      sweep_other(magazine, TAKE_ALL);
      memset(magazine->count, 0, sizeof(magazine->count));
      atomic_store_explicit(&magazine->watched, false, memory_order_relaxed);
      atomic_store_explicit(&magazine->owner, 0, memory_order_relaxed);
    }
    /* A block that a lost thread had just taken out is lost. */
    atomic_store_explicit(&magazine->visitors, 0, memory_order_relaxed);
    atomic_store_explicit(&magazine->popping, false, memory_order_relaxed);
    bool by_exchange = atomic_load_explicit(&magazine->by_exchange, memory_order_relaxed);
    atomic_store_explicit(&magazine->takers, by_exchange, memory_order_relaxed);
  }
}
