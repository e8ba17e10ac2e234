#include "segment/abandoned_visit.h"

#include "os/rare.h"
#include "segment/abandoned.h"
#include "segment/huge.h"
#include "segment/mark.h"
#include "segment/pin.h"

/* The thread that visits, 0 if none does, and what it has taken or pinned: for
   mi_abandoned_break_off and for a forked child. */
static _Atomic(uintptr_t) visitor;
static mi_slot_ref_t visited_slot; /* chunk NULL: none */
static mi_subproc_t* visited_subproc;
static mi_missed_fun* missed_fn;
static mi_segment_t* visited_huge; /* NULL: none */
static size_t visited_place;       /* of visited_huge, in the segment table */
static mi_slot_ref_t visited_run;  /* chunk NULL: none */

bool mi_abandoned_is_visiting(void) {
  return atomic_load_explicit(&visitor, memory_order_relaxed) == mi_os_thread_id();
}

bool mi_abandoned_visits(mi_slot_ref_t ref) {
  return mi_abandoned_is_visiting() && visited_slot.chunk == ref.chunk &&
         visited_slot.index == ref.index;
}

static void begin_visits(void) {
  for (unsigned round = 0;; round++) {
    uintptr_t nobody = 0;
    if (atomic_compare_exchange_weak_explicit(&visitor, &nobody, mi_os_thread_id(),
                                              memory_order_acquire, memory_order_relaxed)) {
      return;
    }
    mi_os_yield(round);
  }
}

static void end_visits(void) { atomic_store_explicit(&visitor, 0, memory_order_release); }

static void leave_slot(void) {
  mi_slot_ref_t ref = visited_slot;
  bool missed = mi_abandoned_let_go(visited_subproc, ref);
  visited_slot.chunk = NULL;
  if (missed) missed_fn(visited_subproc, ref);
}

/* Visits the segment of a slot, if the sub-process has abandoned it. While fn runs the segment has
   no owner, and no other thread can adopt it. */
static bool
visit_slot(mi_subproc_t* subproc, mi_slot_ref_t ref, mi_segment_visit_fun* fn, void* arg) {
  if (mi_mark_subproc(mi_mark_peek(ref)) != subproc) return true;
  visited_slot = ref;
  visited_subproc = subproc;
  bool go_on = true;
  if (mi_abandoned_hold_patiently(subproc, ref) != NULL) {
    mi_race_window();
    go_on = fn((mi_segment_t*)mi_slot_start(ref), arg);
    leave_slot();
  }
  visited_slot.chunk = NULL;
  return go_on;
}

/* Acquire: the caller sees the header as the thread that ended left it. */
static bool is_abandoned_huge(mi_segment_t* segment, mi_subproc_t* subproc) {
  uintptr_t word = atomic_load_explicit(&segment->pages[0].thread_free, memory_order_acquire);
  return (word & MI_TF_STATE_MASK) == MI_TF_UNOWNED &&
         atomic_load_explicit(&segment->subproc, memory_order_relaxed) == subproc;
}

static bool visit_slots(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (!visit_slot(subproc, walk.slot, fn, arg)) return false;
  }
  return true;
}

static bool
visit_run(mi_subproc_t* subproc, mi_slot_ref_t slot, mi_segment_visit_fun* fn, void* arg) {
  mi_segment_t* segment = mi_segment_pin(slot);
  if (segment == NULL) return true;
  visited_run = slot;
  mi_race_window();
  bool go_on =
      !mi_segment_is_huge(segment) || !is_abandoned_huge(segment, subproc) || fn(segment, arg);
  visited_run.chunk = NULL;
  mi_segment_unpin(slot);
  return go_on;
}

static bool visit_huge(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg) {
  bool go_on = true;
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (!visit_run(subproc, walk.slot, fn, arg)) return false;
  }
  size_t place = 0;
  mi_segment_t* segment;
  while (go_on && (segment = mi_segment_table_pin(&place)) != NULL) {
    visited_place = place;
    visited_huge = segment;
    mi_race_window();
    if (is_abandoned_huge(segment, subproc)) go_on = fn(segment, arg);
    visited_huge = NULL;
    mi_huge_unpin(segment, place);
  }
  return go_on;
}

bool mi_abandoned_for_each(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg,
                           mi_missed_fun* missed) {
  begin_visits();
  missed_fn = missed;
  bool all = visit_slots(subproc, fn, arg) && visit_huge(subproc, fn, arg);
  end_visits();
  return all;
}

static bool give_to_first(mi_segment_t* segment, void* arg) {
  (void)arg;
  atomic_store_explicit(&segment->subproc, &mi_subproc_first, memory_order_relaxed);
  return true;
}

/* Gives the segment of a slot to the first sub-process. Waits, since a thread that freed a block in
   it may hold the segment for a moment. */
static void hand_over_slot(mi_subproc_t* subproc, mi_slot_ref_t ref, mi_missed_fun* missed) {
  if (mi_abandoned_hold_patiently(subproc, ref) == NULL) return;
  mi_abandoned_count_given(subproc, ref); /* before another thread can adopt it */
  if (mi_abandoned_let_go(&mi_subproc_first, ref)) missed(&mi_subproc_first, ref);
}

void mi_abandoned_hand_over(mi_subproc_t* subproc, mi_missed_fun* missed) {
  begin_visits();
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    hand_over_slot(subproc, walk.slot, missed);
  }
  atomic_store_explicit(&subproc->abandoned, 0, memory_order_relaxed);
  visit_huge(subproc, give_to_first, NULL);
  end_visits();
}

void mi_abandoned_break_off(void) {
  /* In a forked child, mi_segments_repair has let go of a lost visitor's slot already. */
  if (visited_slot.chunk != NULL && mi_mark_is_held(mi_mark_peek(visited_slot))) leave_slot();
  if (visited_huge != NULL) mi_huge_unpin(visited_huge, visited_place);
  if (visited_run.chunk != NULL) mi_segment_unpin(visited_run);
  visited_run.chunk = NULL;
  visited_slot.chunk = NULL;
  visited_huge = NULL;
  end_visits();
}

bool mi_abandoned_visits_run(mi_slot_ref_t* slot) {
  *slot = visited_run;
  return mi_abandoned_is_visiting() && visited_run.chunk != NULL;
}

size_t mi_abandoned_visits_freed(void) {
  bool freed = visited_huge != NULL && !mi_segment_table_covers(visited_huge);
  return freed ? visited_huge->huge_size : 0;
}

void mi_abandoned_visit_forked(void) {
  if (mi_abandoned_is_visiting()) return;
  visited_run.chunk = NULL; /* mi_pins_forget has forgotten that pin */
  if (atomic_load(&visitor) != 0) mi_abandoned_break_off();
}
