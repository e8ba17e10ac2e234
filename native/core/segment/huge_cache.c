#include "segment/huge_cache.h"

#include "bits.h"
#include "os/os.h"
#include "os/rare.h"
#include "segment/purger.h"

#define ENTRIES 16
#define MOST ((size_t)256 << 20) /* bytes of all of them */

/* A thread claims an entry by setting CLAIMED in `start`. Only that thread reads and writes the
   other fields. A child that is forked meanwhile sees by `start` and `end` what is still mapped. */
typedef struct entry_s {
  _Atomic(uintptr_t) start; /* 0: empty */
  uintptr_t end;
  int64_t drop_at; /* 0: never */
} entry_t;
enum { CLAIMED = 1 };

static entry_t entries[ENTRIES];
static _Atomic(size_t) total;

size_t mi_huge_cache_size(void) { return atomic_load_explicit(&total, memory_order_relaxed); }

/* Claims the entry and returns where its mapping starts. 0 if it is empty or claimed. */
static uintptr_t claim(entry_t* entry) {
  uintptr_t start = atomic_load(&entry->start);
  if (start == 0 || (start & CLAIMED) != 0) return 0;
  /* Acquire pairs with the store in `set`. */
  bool won = atomic_compare_exchange_strong_explicit(&entry->start, &start, start | CLAIMED,
                                                     memory_order_acquire, memory_order_relaxed);
  return won ? start : 0;
}

static bool claim_empty(entry_t* entry) {
  uintptr_t empty = 0;
  return atomic_compare_exchange_strong_explicit(&entry->start, &empty, CLAIMED,
                                                 memory_order_acquire, memory_order_relaxed);
}

/* Ends the claim. Sequentially consistent: see mi_purge_announce. */
static void set(entry_t* entry, uintptr_t start) { atomic_store(&entry->start, start); }

/* Ends the claim of an entry that stays. If a round passed it over meanwhile, it is announced
   again, and the purger, which may have gone to sleep, is told. */
static void leave(entry_t* entry, uintptr_t start) {
  int64_t at = entry->drop_at;
  size_t units = (entry->end - start) >> MI_UNIT_SHIFT;
  set(entry, start);
  int64_t next = mi_purge_next();
  if (at == 0 || (next != 0 && next <= at)) return;
  mi_purge_announce(at);
  mi_purger_count(MI_WAITING_UNITS, units);
}

static bool is_nearer(size_t a, size_t b, size_t size) {
  return a >= size ? b < size || a < b : b < size && a > b;
}

/* Whether the entry serves a block of this size better than `best`. Of two that serve it as well
   the upper one, since the system maps downwards: so blocks that come and go together are given the
   mappings that they had at first, in whatever order they are freed, and one that is hardly used
   does not get what another one was written all over. */
static bool is_better(const entry_t* entry, uintptr_t start, const entry_t* best,
                      uintptr_t best_start, size_t size) {
  size_t length = entry->end - start;
  size_t best_length = best->end - best_start;
  return length == best_length ? start > best_start : is_nearer(length, best_length, size);
}

mi_mapping_t mi_huge_cache_take(size_t size) {
  mi_mapping_t none = {NULL, 0};
  if (atomic_load_explicit(&total, memory_order_relaxed) == 0) return none;
  entry_t* best = NULL;
  uintptr_t best_start = 0;
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uintptr_t start = claim(entry);
    if (start == 0) continue;
    if (best != NULL && !is_better(entry, start, best, best_start, size)) {
      leave(entry, start);
      continue;
    }
    if (best != NULL) leave(best, best_start);
    best = entry;
    best_start = start;
  }
  if (best == NULL) return none;
  mi_mapping_t taken = {(uint8_t*)best_start, best->end - best_start};
  size_t enough = mi_align_up(size, MI_SEGMENT_SIZE);
  bool leaves_rest = enough < taken.size && mi_mapping_is_too_long(taken.size, size);
  if (leaves_rest) taken.size = enough;
  atomic_fetch_sub_explicit(&total, taken.size, memory_order_relaxed);
  if (leaves_rest) {
    leave(best, best_start + enough);
  } else {
    set(best, 0);
  }
  return taken;
}

static bool claim_bytes(size_t size) {
  size_t before = atomic_fetch_add_explicit(&total, size, memory_order_relaxed);
  if (before + size <= MOST) return true;
  atomic_fetch_sub_explicit(&total, size, memory_order_relaxed);
  return false;
}

void mi_huge_cache_put(mi_mapping_t mapping) {
  if (!mi_rare(mi_rare_purge) && mi_option_get(mi_option_purge_delay) != 0 &&
      claim_bytes(mapping.size)) {
    for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
      if (!claim_empty(entry)) continue;
      entry->end = (uintptr_t)mapping.start + mapping.size;
      int64_t at = mi_purge_time(MI_PURGE_LOOKS);
      entry->drop_at = at;
      set(entry, (uintptr_t)mapping.start);
      mi_purge_announce(at);
      if (at != 0) mi_purger_count(MI_WAITING_UNITS, mapping.size >> MI_UNIT_SHIFT);
      return;
    }
    atomic_fetch_sub_explicit(&total, mapping.size, memory_order_relaxed);
  }
  mi_mapping_unmap(mapping);
}

/* Unmaps a mapping, or as much of it as the budget allows. The caller has claimed the entry.
   Returns how many bytes are left. The beginning goes first: the end of a block may never have been
   touched, and there would be less to gain.

   The memory goes before the entry changes. That takes long, and a child that is forked meanwhile
   still has the entry: it loses addresses at most. */
static size_t cut(entry_t* entry, uintptr_t start, mi_purge_budget_t* budget) {
  size_t size = entry->end - start;
  size_t part = mi_align_up(budget->units << MI_UNIT_SHIFT, MI_SEGMENT_SIZE);
  if (budget->units >= size >> MI_UNIT_SHIFT || part > size) part = size;
  mi_purge_spend(budget, part >> MI_UNIT_SHIFT);
  mi_purge_begin();
  (void)mi_os_purge((void*)start, part, true);
  mi_race_window();
  atomic_fetch_sub_explicit(&total, part, memory_order_relaxed);
  if (part < size) {
    leave(entry, start + part);
  } else {
    set(entry, 0);
  }
  mi_mapping_unmap((mi_mapping_t){(uint8_t*)start, part});
  mi_purge_end();
  return size - part;
}

int64_t mi_huge_cache_drop_due(int64_t now, mi_purge_budget_t* budget) {
  int64_t next = 0;
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uintptr_t start = claim(entry);
    if (start == 0) continue;
    bool is_due = entry->drop_at != 0 && entry->drop_at <= now;
    if (is_due) entry->drop_at = mi_purge_later(now); /* for what the budget leaves of it */
    int64_t at = entry->drop_at;
    if (is_due && budget->units > 0) {
      if (cut(entry, start, budget) == 0) at = 0;
    } else {
      set(entry, start);
    }
    if (at != 0 && (next == 0 || at < next)) next = at;
  }
  return next;
}

void mi_huge_cache_drop(mi_purge_budget_t* budget) {
  for (entry_t* entry = entries; entry < entries + ENTRIES && budget->units > 0; entry++) {
    uintptr_t start = claim(entry);
    if (start != 0) (void)cut(entry, start, budget);
  }
}

mi_cold void mi_huge_cache_forked(void) {
  size_t sum = 0;
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uintptr_t start = atomic_load(&entry->start) & ~(uintptr_t)CLAIMED;
    set(entry, start);
    if (start != 0) sum += entry->end - start;
  }
  atomic_store_explicit(&total, sum, memory_order_relaxed);
}
