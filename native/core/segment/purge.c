#include "segment/purge.h"

#include "os/rare.h"
#include "segment/chunk.h"
#include "segment/huge_cache.h"
#include "segment/large_pages.h"
#include "segment/memory.h"
#include "segment/pace.h"
#include "segment/purger.h"
#include "stats/stats.h"

/* A lower bound of all times at which something is due; 0: nothing is due. */
static _Atomic(int64_t) next_due;

/* Sequentially consistent, like the start of a round and all stores and loads of due times: the
   announcer stores its time and then reads next_due; the round clears next_due and then reads the
   times. At least one of the two sees what the other stored. */
void mi_purge_announce(int64_t time) {
  if (time == 0) return;
  int64_t present = atomic_load(&next_due);
  while ((present == 0 || time < present) &&
         !atomic_compare_exchange_weak(&next_due, &present, time)) {
  }
}

int64_t mi_purge_time(unsigned looks) {
  long delay = mi_pace_delay();
  if (delay < 0) return 0;
  return mi_os_now() + (delay < MI_PURGE_LOOKS ? delay : delay * (long)looks / MI_PURGE_LOOKS);
}

/* As many of these units as the allowance has now. */
static uint64_t afford(uint64_t units, int64_t now) {
  unsigned count = mi_popcount64(units);
  for (unsigned may = mi_pace_allow(count, now); count > may; count--) units &= units - 1;
  return units;
}

typedef struct round_s {
  int64_t now;
  int64_t next_look;
  uint32_t delay;
  mi_purge_budget_t* budget;
} round_t;

/* In the lower half, the number of threads that are purging now; above it, how often a thread began
   to. */
static _Atomic(uint64_t) purging;
enum { BEGAN_SHIFT = 32 };

static bool is_running(uint64_t word) { return (uint32_t)word != 0; }

void mi_purge_begin(void) { atomic_fetch_add(&purging, ((uint64_t)1 << BEGAN_SHIFT) + 1); }
void mi_purge_end(void) { atomic_fetch_sub(&purging, 1); }

/* Acquire pairs with the release in mi_purge_end: the caller sees what was given back. */
uint64_t mi_purge_mark(void) { return atomic_load_explicit(&purging, memory_order_acquire); }
bool mi_purge_ran_since(uint64_t mark) { return is_running(mark) || mi_purge_mark() != mark; }
bool mi_purge_was_cut_off(void) { return is_running(atomic_exchange(&purging, 0)); }

/* Purges the dirty units of a slot among `which`. */
static mi_cold void purge_units(mi_slot_ref_t ref, uint64_t which) {
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t dirty = atomic_fetch_and(&slot->dirty, ~which) & which;
  /* The chunk can be read: a thread that sees dirty units in it sees its descriptor. */
  if (dirty != 0 && ref.chunk->resident) {
    atomic_fetch_or(&slot->dirty, dirty);
    return;
  }
  mi_race_window();
  mi_large_pages_end(ref, dirty);
  while (dirty != 0) {
    mi_span_t span = mi_first_span(dirty);
    uint64_t mask = mi_bits64(span.first, span.count);
    dirty &= ~mask;
    uint8_t* start = mi_slot_start(ref) + ((size_t)span.first << MI_UNIT_SHIFT);
    size_t size = (size_t)span.count << MI_UNIT_SHIFT;
    mi_purge_result_t result = mi_memory_purge(start, size);
    if (result == MI_PURGE_FAILED) {
      atomic_fetch_or_explicit(&slot->dirty, mask, memory_order_release);
      continue;
    }
    /* Memory that was handed in may be that of a file, and then has the contents of the file
       again. */
    if (result == MI_PURGE_RESET || ref.chunk->foreign) {
      atomic_store_explicit(&slot->clean_is_zero, false, memory_order_relaxed);
    }
    mi_stat_down(committed, size);
    /* Release pairs with the acquire in mi_units_take: the thread that takes the units finds the
       purge over. */
    atomic_fetch_or_explicit(&slot->clean, mask, memory_order_release);
  }
}

void mi_purge_inside(mi_slot_ref_t ref, void* from, void* to) {
  mi_large_pages_end_between(ref, from, to);
  mi_memory_purge_inside(from, to);
}

static void purge_slot(mi_slot_ref_t ref) {
  /* First purge_at, then the dirty units: a unit that becomes dirty in between is either purged now
     or scheduled anew. */
  atomic_store(&mi_slot_state(ref)->purge_at, 0);
  mi_purge_begin();
  purge_units(ref, ~(uint64_t)0);
  mi_purge_end();
}

/* Purges what is due in the slot. Returns when to look again; 0: nothing is left.

   Most of the memory that was just freed is needed again soon. So a slot is looked at
   MI_PURGE_LOOKS times in each delay (segment/pace.h). Units that were dirty for the whole delay
   are purged. Units that were dirty at the look before may be purged already, as far as the
   allowance goes (mi_pace_allow). */
static int64_t look_at_slot(mi_slot_ref_t ref, const round_t* round) {
  mi_slot_t* slot = mi_slot_state(ref);
  atomic_store(&slot->purge_at, 0); /* before the dirty units are read: see purge_slot */
  uint64_t dirty = atomic_load(&slot->dirty);
  uint64_t aged = atomic_load_explicit(&slot->aged, memory_order_relaxed) & dirty;
  uint64_t old = atomic_load_explicit(&slot->old, memory_order_relaxed) & dirty;
  uint32_t since = atomic_load_explicit(&slot->old_since, memory_order_relaxed);
  bool is_time = (uint32_t)round->now - since >= round->delay;
  uint64_t due = is_time ? old : 0;
  /* Nothing of a large page is purged early: the allowance may be for a part of it, which would
     split it. */
  due |= afford(aged & ~due & ~mi_large_pages_among(ref, aged), round->now);
  mi_purge_begin();
  if (due != 0) purge_units(ref, due);
  mi_purge_end();
  mi_purge_spend(round->budget, mi_popcount64(due));
  /* Units that were due and are dirty still were refused by the system: they are left alone until
     something else is due in this slot. */
  uint64_t left = atomic_load(&slot->dirty) & ~due;
  atomic_store_explicit(&slot->aged, left, memory_order_relaxed);
  atomic_store_explicit(&slot->old, is_time ? left : old & left, memory_order_relaxed);
  if (is_time) {
    atomic_store_explicit(&slot->old_since, (uint32_t)round->now, memory_order_relaxed);
  }
  int64_t at = left == 0 || ref.chunk->resident ? 0 : round->next_look;
  if (at != 0) atomic_store(&slot->purge_at, at);
  return at;
}

void mi_purge_schedule(mi_slot_ref_t ref, size_t units) {
  mi_slot_t* slot = mi_slot_state(ref);
  if (ref.chunk->resident) return;
  if (mi_rare(mi_rare_purge)) {
    purge_slot(ref);
    return;
  }
  if (atomic_load(&slot->purge_at) == 0) {
    if (mi_option_get(mi_option_purge_delay) == 0) {
      purge_slot(ref);
      return;
    }
    int64_t at = mi_purge_time(1);
    if (at == 0) return;
    atomic_store(&slot->purge_at, at);
    mi_purge_announce(at);
  }
  mi_purger_count(MI_WAITING_UNITS, units);
}

/* The result of a walk over all slots. */
typedef struct waiting_s {
  int64_t next; /* when the next slot is due; 0: none is */
  size_t units; /* dirty units that are not due yet; where the budget ran out, at least some */
  bool all;     /* whether all slots were seen */
} waiting_t;

static void purge_if_due(mi_slot_ref_t ref, const round_t* round, waiting_t* waiting) {
  mi_slot_t* slot = mi_slot_state(ref);
  int64_t at = atomic_load(&slot->purge_at);
  if (mi_likely(at == 0)) return;
  if (at <= round->now) at = look_at_slot(ref, round);
  if (at == 0) return;
  if (waiting->next == 0 || at < waiting->next) waiting->next = at;
  waiting->units += mi_popcount64(atomic_load_explicit(&slot->dirty, memory_order_relaxed));
}

/* Begins where the budget of the walk before ran out, so that each slot has its turn. */
static waiting_t purge_due_slots(int64_t now, mi_purge_budget_t* budget) {
  static _Atomic(size_t) next_slot;
  long delay = mi_pace_delay();
  round_t round = {now, mi_purge_time(1), delay < 0 ? UINT32_MAX : (uint32_t)delay, budget};
  waiting_t waiting = {0, 0, true};
  mi_slot_walk_t walk =
      mi_walk_slots_around(atomic_load_explicit(&next_slot, memory_order_relaxed));
  while (budget->units > 0 && mi_next_slot(&walk)) purge_if_due(walk.slot, &round, &waiting);
  atomic_store_explicit(&next_slot, walk.next, memory_order_relaxed);
  if (walk.left == 0) return waiting;
  int64_t later = mi_purge_later(now);
  if (waiting.next == 0 || later < waiting.next) waiting.next = later;
  return (waiting_t){waiting.next, waiting.units + MI_UNITS_PER_SEGMENT, false};
}

int64_t mi_purge_next(void) { return atomic_load(&next_due); }

/* Purges units that were dirty at the last look, in the slots that come next. */
static void purge_aged(mi_purge_budget_t* budget) {
  static _Atomic(size_t) next_slot;
  enum { SLOTS = 256 };
  mi_slot_walk_t walk =
      mi_walk_slots_around(atomic_load_explicit(&next_slot, memory_order_relaxed));
  for (unsigned i = 0; i < SLOTS && budget->units > 0 && mi_next_slot(&walk); i++) {
    uint64_t aged = atomic_load_explicit(&mi_slot_state(walk.slot)->aged, memory_order_relaxed);
    if (aged == 0) continue;
    aged &= atomic_load(&mi_slot_state(walk.slot)->dirty);
    if (aged == 0 || walk.slot.chunk->resident) continue; /* it can be read: see purge_units */
    aged &= ~mi_large_pages_among(walk.slot, aged);
    if (aged == 0) continue;
    mi_purge_begin();
    purge_units(walk.slot, aged);
    mi_purge_end();
    mi_purge_spend(budget, mi_popcount64(aged));
  }
  atomic_store_explicit(&next_slot, walk.next, memory_order_relaxed);
}

/* The most memory that the process had since nothing waited, less what made room. */
static _Atomic(int64_t) committed_peak;

static mi_cold void answer_growth(bool for_huge_block) {
  enum { AT_ONCE = 1024 }; /* units */
  int64_t before = atomic_load_explicit(&committed_peak, memory_order_relaxed);
  int64_t now = mi_stat_current(committed);
  if (now <= before || mi_option_get(mi_option_purge_delay) < 0 ||
      !atomic_compare_exchange_strong_explicit(&committed_peak, &before, now, memory_order_relaxed,
                                               memory_order_relaxed)) {
    return; /* another thread answers for this growth */
  }
  if (mi_huge_cache_size() == 0 && !for_huge_block) return;
  mi_purge_budget_t budget = {(size_t)(now - before) >> MI_UNIT_SHIFT};
  if (budget.units > AT_ONCE) budget.units = AT_ONCE;
  size_t may = budget.units;
  mi_huge_cache_drop(&budget);
  if (for_huge_block) purge_aged(&budget);
  int64_t gone = (int64_t)((may - budget.units) << MI_UNIT_SHIFT);
  atomic_fetch_sub_explicit(&committed_peak, gone, memory_order_relaxed);
}

void mi_purge_make_room(bool for_huge_block) {
  enum { WORTH_IT = 16 * MI_UNIT_SIZE };
  int64_t before = atomic_load_explicit(&committed_peak, memory_order_relaxed);
  if (mi_stat_current(committed) - before >= WORTH_IT) answer_growth(for_huge_block);
}

int64_t mi_purge_round(int64_t now, mi_purge_budget_t* budget) {
  int64_t due = atomic_load(&next_due);
  /* Only the thread that clears next_due does the round. What becomes due meanwhile lowers it
     again. */
  if (due == 0 || now < due || !atomic_compare_exchange_strong(&next_due, &due, 0)) return due;
  mi_purger_forget_count(MI_WAITING_UNITS);
  waiting_t waiting = purge_due_slots(now, budget);
  mi_purge_announce(waiting.next);
  if (waiting.all) mi_pace_decide(now, mi_os_cpu_ns, waiting.units << MI_UNIT_SHIFT);
  mi_purge_announce(mi_huge_cache_drop_due(now, budget));
  if (waiting.all && waiting.units == 0 && mi_huge_cache_size() == 0) {
    atomic_store_explicit(&committed_peak, mi_stat_current(committed), memory_order_relaxed);
  }
  /* The purger may have looked while next_due was 0, and gone to sleep. */
  mi_purger_count(MI_WAITING_UNITS, waiting.units + (mi_huge_cache_size() >> MI_UNIT_SHIFT));
  return atomic_load(&next_due);
}

void mi_purge_slot(mi_slot_ref_t ref, mi_purge_budget_t* budget) {
  uint64_t dirty = atomic_load(&mi_slot_state(ref)->dirty);
  if (dirty == 0 || ref.chunk->resident) return; /* the chunk can be read: see purge_units */
  mi_purge_spend(budget, mi_popcount64(dirty));
  purge_slot(ref);
}

void mi_purge_all(void) {
  mi_purge_budget_t all = {SIZE_MAX};
  mi_huge_cache_drop(&all);
  mi_purge_begin();
  mi_chunks_unmap_free();
  mi_purge_end();
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) purge_slot(walk.slot);
}

mi_cold void mi_purge_forked(void) {
  int64_t at = mi_purge_time(1);
  if (at == 0) return;
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    mi_slot_t* slot = mi_slot_state(walk.slot);
    if (atomic_load(&slot->dirty) == 0 || walk.slot.chunk->resident) continue;
    if (atomic_load(&slot->purge_at) == 0) atomic_store(&slot->purge_at, at);
  }
  mi_purge_announce(at);
}
