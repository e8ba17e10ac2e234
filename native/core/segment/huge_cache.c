#include "segment/huge_cache.h"

#include "os/rare.h"
#include "segment/memory.h"
#include "segment/purger.h"
#include "stats/stats.h"

#define ENTRIES 16
#define LARGEST ((size_t)64 << 20)
#define LARGEST_TOTAL ((size_t)128 << 20)

/* A thread claims an entry by exchanging `start` with BUSY. Only that thread reads and writes the
   other fields. */
typedef struct entry_s {
  _Atomic(uint8_t*) start; /* NULL: empty */
  size_t size;
  int64_t drop_at; /* 0: never */
} entry_t;

static entry_t entries[ENTRIES];
static _Atomic(size_t) total;
static uint8_t busy_marker;
#define BUSY (&busy_marker)

size_t mi_huge_cache_size(void) { return atomic_load_explicit(&total, memory_order_relaxed); }

/* Claims the entry, which stays BUSY, and returns its mapping, now the caller's. NULL if it is
   empty or BUSY. */
static uint8_t* claim(entry_t* entry) {
  uint8_t* start = atomic_load(&entry->start);
  if (start == NULL || start == BUSY) return NULL;
  /* Acquire pairs with the store in `set`. */
  bool won = atomic_compare_exchange_strong_explicit(&entry->start, &start, BUSY,
                                                     memory_order_acquire, memory_order_relaxed);
  return won ? start : NULL;
}

/* Ends the claim. Sequentially consistent: see mi_purge_announce. */
static void set(entry_t* entry, uint8_t* start) { atomic_store(&entry->start, start); }

void mi_mapping_unmap(mi_mapping_t mapping) {
  mi_memory_unmap(mapping.start, mapping.size);
  mi_stat_down(committed, mapping.size);
}

mi_mapping_t mi_huge_cache_take(size_t size) {
  if (atomic_load_explicit(&total, memory_order_relaxed) == 0) return (mi_mapping_t){NULL, 0};
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uint8_t* start = claim(entry);
    if (start == NULL) continue;
    size_t found = entry->size;
    if (found >= size && found - size <= size / 8) {
      atomic_fetch_sub_explicit(&total, found, memory_order_relaxed);
      set(entry, NULL);
      return (mi_mapping_t){start, found};
    }
    int64_t at = entry->drop_at;
    set(entry, start);
    mi_purge_announce(at); /* a round may have passed the entry over meanwhile */
  }
  return (mi_mapping_t){NULL, 0};
}

static bool claim_bytes(size_t size) {
  size_t before = atomic_fetch_add_explicit(&total, size, memory_order_relaxed);
  if (before + size <= LARGEST_TOTAL) return true;
  atomic_fetch_sub_explicit(&total, size, memory_order_relaxed);
  return false;
}

void mi_huge_cache_put(mi_mapping_t mapping) {
  if (mapping.size <= LARGEST && !mi_rare(mi_rare_purge) &&
      mi_option_get(mi_option_purge_delay) != 0 && claim_bytes(mapping.size)) {
    for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
      uint8_t* empty = NULL;
      if (!atomic_compare_exchange_strong_explicit(&entry->start, &empty, BUSY,
                                                   memory_order_acquire, memory_order_relaxed)) {
        continue;
      }
      entry->size = mapping.size;
      int64_t at = mi_purge_time(MI_PURGE_LOOKS);
      entry->drop_at = at;
      set(entry, mapping.start);
      mi_purge_announce(at);
      if (at != 0) mi_purger_count(MI_WAITING_UNITS, mapping.size >> MI_UNIT_SHIFT);
      return;
    }
    atomic_fetch_sub_explicit(&total, mapping.size, memory_order_relaxed);
  }
  mi_mapping_unmap(mapping);
}

/* Unmaps the mapping of an entry that the caller has claimed. */
static void drop(entry_t* entry, uint8_t* start, mi_purge_budget_t* budget) {
  mi_mapping_t mapping = {start, entry->size};
  mi_purge_spend(budget, mapping.size >> MI_UNIT_SHIFT);
  atomic_fetch_sub_explicit(&total, mapping.size, memory_order_relaxed);
  set(entry, NULL);
  mi_mapping_unmap(mapping);
}

int64_t mi_huge_cache_drop_due(int64_t now, mi_purge_budget_t* budget) {
  int64_t next = 0;
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uint8_t* start = claim(entry);
    if (start == NULL) continue;
    int64_t at = entry->drop_at;
    if (at != 0 && at <= now && budget->units > 0) {
      drop(entry, start, budget);
    } else {
      if (at != 0 && at <= now) at = mi_purge_later(now);
      if (at != 0 && (next == 0 || at < next)) next = at;
      set(entry, start);
    }
  }
  return next;
}

void mi_huge_cache_drop(mi_purge_budget_t* budget) {
  for (entry_t* entry = entries; entry < entries + ENTRIES && budget->units > 0; entry++) {
    uint8_t* start = claim(entry);
    if (start != NULL) drop(entry, start, budget);
  }
}

mi_cold void mi_huge_cache_forked(void) {
  size_t sum = 0;
  for (entry_t* entry = entries; entry < entries + ENTRIES; entry++) {
    uint8_t* start = atomic_load(&entry->start);
    if (start == BUSY) set(entry, NULL);
    if (start != NULL && start != BUSY) sum += entry->size;
  }
  atomic_store_explicit(&total, sum, memory_order_relaxed);
}
