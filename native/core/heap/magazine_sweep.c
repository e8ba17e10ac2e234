#include "heap/magazine_sweep.h"

#include "heap/delayed.h"
#include "heap/magazine.h"
#include "heap/magazine_depth.h"
#include "heap/magazine_fence.h"
#include "os/fence.h"
#include "os/rare.h"
#include "segment/memory.h"
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
  bool left = false;
  /* Counted before the block is taken, so that an owner that finds it gone waits. Release at the
     end: by then the block is on its page. */
  atomic_fetch_add_explicit(&magazine->visitors, 1, memory_order_relaxed);
  mi_block_t* block = take_from(slot, wish, &left);
  mi_race_window();
  if (block != NULL) mi_page_free_block_mt(mi_page_of(block), block);
  atomic_fetch_sub_explicit(&magazine->visitors, 1, memory_order_release);
  return left;
}

/* Sweeps a slot of this thread's own magazine. Returns whether a block is left there. */
static bool sweep_slot_of_mine(_Atomic(uintptr_t)* slot) {
  bool left = false;
  mi_block_t* block = take_from(slot, TAKE_OLD, &left);
  if (block == NULL) return left;
  mi_magazine_return(block);
  return false;
}

static bool is_mine(const mi_magazine_t* magazine) {
  return atomic_load_explicit(&magazine->owner, memory_order_relaxed) == mi_os_thread_id();
}

/* Where a sweep is: it goes on with this stack of this magazine. NULL: at the end. */
typedef struct place_s {
  mi_magazine_t* magazine;
  unsigned index; /* of the stack */
} place_t;

/* Sweeps a stack: the slots in use. Returns how many blocks are left there, and takes what was to
   be done off the budget. */
static unsigned sweep_stack(const place_t* at, wish_t wish, mi_purge_budget_t* budget) {
  enum { BLOCKS_PER_UNIT = 8 }; /* to free so many takes as long as to purge a unit */
  mi_magazine_t* magazine = at->magazine;
  mi_magazine_stack_t* stack = &magazine->stacks[at->index];
  bool mine = is_mine(magazine);
  size_t in_use = mi_magazine_in_use(stack);
  unsigned seen = 0, left = 0;
  for (size_t i = 0; i < in_use; i++) {
    _Atomic(uintptr_t)* slot = &stack->slots[i];
    if (atomic_load_explicit(slot, memory_order_relaxed) == 0) continue;
    seen++;
    left += mine ? sweep_slot_of_mine(slot) : sweep_slot(magazine, slot, wish);
  }
  if (mine) mi_magazine_trim(stack);
  mi_magazine_tell_beyond(stack, left);
  mi_purge_spend(budget, (seen + BLOCKS_PER_UNIT - 1) / BLOCKS_PER_UNIT);
  return left;
}

/* Sweeps the rest of the magazine, or as much of it as the budget allows. Returns how many bytes
   are left there. */
static size_t sweep_magazine(place_t* at, wish_t wish, mi_purge_budget_t* budget) {
  size_t bytes = 0;
  for (; at->index < MI_MAGAZINE_CLASSES && budget->units > 0; at->index++) {
    size_t block_size = at->magazine->stacks[at->index].block_size;
    bytes += sweep_stack(at, wish, budget) * block_size;
  }
  return bytes;
}

/* Whether a block is in use in the stack that the sweep would take. */
static bool stack_has_wanted(const mi_magazine_stack_t* stack, wish_t wish) {
  size_t in_use = mi_magazine_in_use(stack);
  for (size_t i = 0; i < in_use; i++) {
    if (is_wanted(atomic_load_explicit(&stack->slots[i], memory_order_relaxed), wish)) return true;
  }
  return false;
}

/* Whether another thread's watched magazine has a block that the sweep would take, or its owner
   need not use exchanges any more. */
static bool has_wanted(const mi_magazine_t* magazine, wish_t wish) {
  if (!mi_magazine_is_watched(magazine) || is_mine(magazine)) return false;
  if (atomic_load_explicit(&magazine->by_exchange, memory_order_relaxed) && mi_fence_is_usable()) {
    return true;
  }
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    if (stack_has_wanted(&magazine->stacks[i], wish)) return true;
  }
  return false;
}

/* Whether the sweep looks into the magazine. This thread's own is only for TAKE_OLD. */
static bool is_swept(const mi_magazine_t* magazine, wish_t wish) {
  return mi_magazine_is_watched(magazine) && (wish == TAKE_OLD || !is_mine(magazine));
}

/* Sweeps the watched magazines among the next few, from *at on, until the budget runs out. Returns
   how many bytes are left there. A few at a time: a process may have thousands. */
static size_t sweep_few(place_t* at, wish_t wish, mi_purge_budget_t* budget) {
  enum { FEW = 64, LOOKS_PER_UNIT = 8 }; /* so many looks take as long as to purge a unit */
  mi_magazine_t* first = at->magazine;
  mi_magazine_t* end = first;
  unsigned looks = 0;
  bool wanted = false;
  for (; looks < FEW && end != NULL; looks++, end = end->next) {
    wanted = wanted || has_wanted(end, wish);
  }
  bool fenced = wanted && mi_magazines_begin_taking(first, end);
  size_t left = 0;
  while (at->magazine != end) {
    if (is_swept(at->magazine, wish)) {
      bool may_take =
          is_mine(at->magazine) || (wanted && mi_magazine_may_take(at->magazine, fenced));
      if (may_take || wish == TAKE_OLD) {
        left += sweep_magazine(at, may_take ? wish : MARK, budget);
        if (at->index < MI_MAGAZINE_CLASSES) break;
      }
    }
    *at = (place_t){at->magazine->next, 0};
  }
  if (wanted) mi_magazines_end_taking(first, end);
  /* Taking all begins at the first magazine each time, so it must not be made to stop where there
     is nothing to take. */
  if (wish == TAKE_OLD) mi_purge_spend(budget, looks / LOOKS_PER_UNIT);
  return left;
}

/* Sweeps all from *at on, until the budget runs out. */
static size_t sweep_from(place_t* at, wish_t wish, mi_purge_budget_t* budget) {
  size_t left = 0;
  while (at->magazine != NULL && budget->units > 0) left += sweep_few(at, wish, budget);
  return left;
}

static place_t first_place(void) {
  return (place_t){atomic_load_explicit(&mi_magazines, memory_order_acquire), 0};
}

bool mi_magazine_take_all(mi_purge_budget_t* budget) {
  place_t at = first_place();
  (void)sweep_from(&at, TAKE_ALL, budget);
  return at.magazine == NULL;
}

/* One thread at a time makes a round, or the last sweep could follow the one before at once. The
   others do not wait. */
static _Atomic(bool) sweeping;

/* A sweep that is under way, in as many rounds as it takes. For the thread that set `sweeping`. */
static struct {
  bool under_way;
  bool is_last; /* the announcement had ended before it began */
  place_t at;
  size_t left; /* bytes left behind */
} sweep;

/* False if the budget has run out before the end. */
static bool go_on(mi_purge_budget_t* budget) {
  if (!sweep.under_way) {
    sweep.is_last = !atomic_load(&mi_magazine_announced);
    sweep.at = first_place();
    sweep.left = 0;
  }
  sweep.left += sweep_from(&sweep.at, TAKE_OLD, budget);
  sweep.under_way = sweep.at.magazine != NULL;
  return !sweep.under_way;
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
static void sweep_and_announce(int64_t now, mi_purge_budget_t* budget) {
  if (!go_on(budget)) {
    atomic_store(&mi_magazine_due, mi_purge_later(now));
    mi_purger_count(MI_WAITING_MAGAZINES, MI_UNITS_PER_SEGMENT);
  } else if (sweep.left > 0) {
    mi_magazine_announce();
    mi_purger_count(MI_WAITING_MAGAZINES, 1 + (sweep.left >> MI_UNIT_SHIFT));
  } else if (!sweep.is_last) {
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

int64_t mi_magazine_round(int64_t now, mi_purge_budget_t* budget) {
  if (!is_due(now)) return atomic_load(&mi_magazine_due);
  if (atomic_exchange(&sweeping, true)) return mi_purge_time(MI_PURGE_LOOKS);
  if (is_due(now)) {
    int64_t next = mi_purge_time(MI_PURGE_LOOKS);
    atomic_store(&mi_magazine_due, next);
    mi_purger_forget_count(MI_WAITING_MAGAZINES);
    if (next != 0) {
      sweep_and_announce(now, budget);
    } else {
      sweep.under_way = false;
      atomic_store(&mi_magazine_announced, false); /* nothing is to be purged any more */
    }
  }
  atomic_store(&sweeping, false);
  return atomic_load(&mi_magazine_due);
}

/* For a magazine without an owner. */
static void set_in_use(mi_magazine_t* magazine, unsigned slots) {
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    atomic_store_explicit(&magazine->stacks[i].count, (uint8_t)slots, memory_order_relaxed);
  }
}

void mi_magazines_forked(const mi_heap_t* heap) {
  int64_t at = mi_purge_time(MI_PURGE_LOOKS);
  atomic_store_explicit(&sweeping, false, memory_order_relaxed);
  sweep.under_way = false;
  atomic_store_explicit(&mi_magazine_announced, at != 0, memory_order_relaxed);
  atomic_store_explicit(&mi_magazine_due, at, memory_order_relaxed);
  mi_magazine_t* mine = heap == NULL ? NULL : heap->magazine;
  mi_magazine_t* magazine = atomic_load_explicit(&mi_magazines, memory_order_relaxed);
  for (; magazine != NULL; magazine = magazine->next) {
    if (magazine != mine) {
      set_in_use(magazine, MI_MAGAZINE_DEPTH);
      (void)sweep_magazine(&(place_t){magazine, 0}, TAKE_ALL, &(mi_purge_budget_t){SIZE_MAX});
      set_in_use(magazine, 0);
      mi_magazine_start_anew(magazine);
      atomic_store_explicit(&magazine->watched, false, memory_order_relaxed);
      atomic_store_explicit(&magazine->owner, 0, memory_order_relaxed);
    }
    /* No purger of this process was told of anything. */
    for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++)
      mi_magazine_tell_beyond(&magazine->stacks[i], 0);
    /* A block that a lost thread had just taken out is lost. */
    atomic_store_explicit(&magazine->visitors, 0, memory_order_relaxed);
    bool by_exchange = atomic_load_explicit(&magazine->by_exchange, memory_order_relaxed);
    atomic_store_explicit(&magazine->takers, by_exchange, memory_order_relaxed);
  }
}

void mi_magazines_unmap(void) {
  sweep.under_way = false;
  mi_magazine_t* magazine = atomic_exchange_explicit(&mi_magazines, NULL, memory_order_acquire);
  while (magazine != NULL) {
    mi_magazine_t* next = magazine->next;
    mi_memory_unmap(magazine, sizeof(*magazine));
    magazine = next;
  }
}
