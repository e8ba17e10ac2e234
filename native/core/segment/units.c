#include "segment/units.h"

#include "os/rare.h"
#include "segment/large_pages.h"
#include "segment/pace.h"
#include "segment/purge.h"
#include "stats/stats.h"

static uint8_t* unit_start(mi_slot_ref_t ref, unsigned unit) {
  return mi_slot_start(ref) + ((size_t)unit << MI_UNIT_SHIFT);
}

/* Makes units of an uncommitted chunk writable. Units that were purged stay writable. With
   eager_commit, one call makes the whole slot writable. */
static bool make_writable(mi_slot_ref_t ref, uint64_t mask) {
  mi_slot_t* slot = mi_slot_state(ref);
  mask &= ~slot->writable;
  if (mask == 0) return true;
  if (mi_option_is_enabled(mi_option_eager_commit) &&
      mi_os_protect(mi_slot_start(ref), MI_SEGMENT_SIZE, MI_ACCESS_WRITE)) {
    slot->writable = ~(uint64_t)0;
    return true;
  }
  for (uint64_t left = mask; left != 0;) {
    mi_span_t span = mi_first_span(left);
    left &= ~mi_bits64(span.first, span.count);
    size_t size = (size_t)span.count << MI_UNIT_SHIFT;
    if (!mi_os_protect(unit_start(ref, span.first), size, MI_ACCESS_WRITE)) return false;
  }
  slot->writable |= mask;
  return true;
}

static bool commit_units(mi_slot_ref_t ref, uint64_t mask) {
  if (ref.chunk->uncommitted) return make_writable(ref, mask);
  while (mask != 0) {
    mi_span_t span = mi_first_span(mask);
    if (!mi_os_commit(unit_start(ref, span.first), (size_t)span.count << MI_UNIT_SHIFT))
      return false;
    mask &= ~mi_bits64(span.first, span.count);
  }
  return true;
}

void mi_units_count_committed(uint64_t units, int sign) {
  mi_level_change(&mi_process_stats.committed,
                  sign * (int64_t)(mi_popcount64(units) * MI_UNIT_SIZE));
}

bool mi_units_take(mi_slot_ref_t ref, uint64_t mask, bool* zero) {
  mi_slot_t* slot = mi_slot_state(ref);
  /* Acquire pairs with the release of the thread that set the bits: its writes to the memory, or
     its purge, are over. */
  uint64_t was_dirty = atomic_fetch_and_explicit(&slot->dirty, ~mask, memory_order_acquire) & mask;
  uint64_t was_clean = 0;
  /* A unit in `old` is in `aged` too, except in the middle of look_at_slot. */
  if ((atomic_load_explicit(&slot->aged, memory_order_relaxed) & mask) != 0) {
    atomic_fetch_and_explicit(&slot->aged, ~mask, memory_order_relaxed);
    atomic_fetch_and_explicit(&slot->old, ~mask, memory_order_relaxed);
  }
  mi_race_window();
  if (was_dirty != mask) {
    was_clean = atomic_fetch_and_explicit(&slot->clean, ~mask, memory_order_acquire) & mask;
  }
  if (was_clean != 0) {
    mi_units_count_committed(was_clean, 1);
    mi_stat_count(commit_calls, 1);
  }
  if ((was_dirty | was_clean) != mask || !commit_units(ref, was_clean)) {
    mi_units_release(ref, was_dirty, was_clean);
    return false;
  }
  if (was_clean != 0) {
    mi_large_pages_taken(ref, was_clean);
    /* Units in large pages are left out: a fault for them costs next to nothing. */
    uint64_t by_faults = was_clean & ~mi_large_pages_among(ref, was_clean);
    mi_pace_taken(mi_popcount64(by_faults) * MI_UNIT_SIZE);
  }
  *zero = was_dirty == 0 && atomic_load_explicit(&slot->clean_is_zero, memory_order_relaxed);
  return true;
}

void mi_units_release(mi_slot_ref_t ref, uint64_t dirty, uint64_t clean) {
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t resident = mi_large_pages_resident(ref, clean);
  dirty |= resident;
  clean &= ~resident;
  if (clean != 0) {
    mi_units_count_committed(clean, -1);
    atomic_fetch_or_explicit(&slot->clean, clean, memory_order_release);
  }
  if (dirty == 0) return;
  atomic_fetch_or(&slot->dirty, dirty); /* before purge_at is read: see purge_slot */
  mi_purge_schedule(ref, mi_popcount64(dirty));
}

void mi_units_restore(mi_slot_ref_t ref, uint64_t used) {
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t lost = ~(atomic_load(&slot->dirty) | atomic_load(&slot->clean) | used);
  uint64_t untouched = ref.chunk->uncommitted ? lost & ~slot->writable : 0;
  mi_units_release(ref, lost & ~untouched, untouched);
}
