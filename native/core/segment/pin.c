#include "segment/pin.h"

#include "os/rare.h"
#include "segment/run.h"
#include "segment/slot.h"

#define LIVE ((uint32_t)1 << 31)

static _Atomic(uint32_t)* pins_of(mi_slot_ref_t ref) { return &mi_slot_state(ref)->pins; }

static void release(mi_slot_ref_t ref) {
  mi_race_window();
  if (mi_slot_state(ref)->run_units != 0) {
    mi_run_release(ref);
    return;
  }
  mi_units_release(ref, 1, 0); /* the unit of the header */
  mi_slot_release(ref);
}

void mi_segment_go_live(mi_slot_ref_t ref) {
  /* Release pairs with the acquire in mi_segment_pin: a thread that pins the segment sees its
     header. */
  atomic_store_explicit(pins_of(ref), LIVE, memory_order_release);
}

void mi_segment_end(mi_slot_ref_t ref) {
  /* Release: the thread that releases the slot does so after our last write. Acquire: if we release
     it, that is after the last look of the threads that pinned it. */
  if (atomic_fetch_and_explicit(pins_of(ref), ~LIVE, memory_order_acq_rel) == LIVE) release(ref);
}

mi_segment_t* mi_segment_pin(mi_slot_ref_t ref) {
  uint32_t pins = atomic_load_explicit(pins_of(ref), memory_order_relaxed);
  do {
    if ((pins & LIVE) == 0) return NULL;
    /* Acquire pairs with the release in mi_segment_go_live. */
  } while (!atomic_compare_exchange_weak_explicit(pins_of(ref), &pins, pins + 1,
                                                  memory_order_acquire, memory_order_relaxed));
  mi_race_window();
  return (mi_segment_t*)mi_slot_start(ref);
}

void mi_segment_unpin(mi_slot_ref_t ref) {
  if (atomic_fetch_sub_explicit(pins_of(ref), 1, memory_order_acq_rel) == 1) release(ref);
}

bool mi_segment_is_live(mi_slot_ref_t ref) { return (atomic_load(pins_of(ref)) & LIVE) != 0; }

bool mi_slot_is_lost(mi_slot_ref_t ref) { return atomic_load(pins_of(ref)) == 0; }

void mi_pins_forget(const mi_slot_ref_t* mine, size_t count) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    uint32_t pins = atomic_load_explicit(pins_of(walk.slot), memory_order_relaxed);
    if ((pins & ~LIVE) == 0) continue;
    pins &= LIVE;
    for (size_t i = 0; i < count; i++) pins += pins_of(mine[i]) == pins_of(walk.slot);
    atomic_store_explicit(pins_of(walk.slot), pins, memory_order_relaxed);
    if (pins == 0) release(walk.slot);
  }
}
