#include "heap/magazine_sweep.h"

#include <string.h>

#include "heap/delayed.h"
#include "heap/magazine.h"
#include "heap/magazine_fence.h"
#include "os/rare.h"
#include "segment/purge.h"
#include "segment/purger.h"

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
    /* Acquire: as in mi_magazine_empty_slot. */
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
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    unsigned depth = mi_magazine_depth(magazine, size_class);
    for (unsigned i = 0; i < depth; i++) {
      left |= sweep_slot(magazine, &magazine->slots[size_class][i], wish);
    }
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
      mi_magazine_has_fence()) {
    return true;
  }
  for (unsigned size_class = 0; size_class < MI_MAGAZINE_CLASSES; size_class++) {
    const _Atomic(uintptr_t)* slots = magazine->slots[size_class];
    unsigned depth = mi_magazine_depth(magazine, size_class);
    for (unsigned i = 0; i < depth; i++) {
      if (is_wanted(atomic_load_explicit(&slots[i], memory_order_relaxed), wish)) return true;
    }
  }
  return false;
}

/* Sweeps the watched magazines of other threads. Returns whether a block is left there. */
static bool sweep_others(wish_t wish) {
  mi_magazine_t* first = atomic_load_explicit(&mi_magazines, memory_order_acquire);
  bool wanted = false;
  bool left = false;
  mi_magazine_t* magazine = first;
  for (; magazine != NULL && !wanted; magazine = magazine->next) {
    wanted = has_wanted(magazine, wish);
  }
  bool fenced = wanted && mi_magazines_begin_taking(first);
  for (magazine = first; magazine != NULL; magazine = magazine->next) {
    if (!is_watched_other(magazine)) continue;
    left |= sweep_other(magazine, wanted && mi_magazine_may_take(magazine, fenced) ? wish : MARK);
  }
  if (wanted) mi_magazines_end_taking(first);
  return left;
}

void mi_magazine_take_all(void) { (void)sweep_others(TAKE_ALL); }

/* Returns whether a block is left in a watched magazine. */
static bool sweep_watched(void) {
  bool left = sweep_others(TAKE_OLD);
  mi_magazine_t* magazine = atomic_load_explicit(&mi_magazines, memory_order_acquire);
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
    mi_magazine_count_waiting();
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
    mi_purger_forget_count(MI_WAITING_MAGAZINES);
    if (next != 0)
      sweep_and_announce();
    else
      atomic_store(&mi_magazine_announced, false); /* nothing is to be purged any more */
  }
  atomic_store(&sweeping, false);
  return atomic_load(&mi_magazine_due);
}

void mi_magazines_forked(const mi_heap_t* heap) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  atomic_store_explicit(&sweeping, false, memory_order_relaxed);
  atomic_store_explicit(&mi_magazine_announced, at != 0, memory_order_relaxed);
  atomic_store_explicit(&mi_magazine_due, at, memory_order_relaxed);
  mi_magazine_fence_forked();
  mi_magazine_t* mine = heap == NULL ? NULL : heap->magazine;
  mi_magazine_t* magazine = atomic_load_explicit(&mi_magazines, memory_order_relaxed);
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
