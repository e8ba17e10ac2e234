#include "segment/orphan.h"

#include "segment/abandoned_visit.h"
#include "segment/huge_cache.h"
#include "segment/mark.h"
#include "segment/pin.h"
#include "segment/run.h"
#include "stats/stats.h"

/* No thread has this id, and it is not that of an abandoned segment. */
#define ORPHAN ((uintptr_t)1)

static bool is_of_another(const mi_segment_t* segment) {
  /* What is only being made is none. */
  if (segment->cookie != mi_segment_cookie(segment)) return false;
  uintptr_t owner = mi_segment_owner(segment);
  return owner != 0 && owner != ORPHAN && owner != mi_os_thread_id();
}

/* Calls fn for each slot that is not free. Not for the inside of a run: the program may have taken
   the right to read its block away. */
static void for_each_slot(void (*fn)(mi_slot_ref_t ref, void* arg), void* arg) {
  size_t chunks = mi_chunk_count();
  size_t inside = 0; /* slots to come that belong to a run; in an arena, also in the next chunks */
  for (size_t i = 0; i < chunks; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t free = atomic_load_explicit(&chunk->free, memory_order_acquire);
    for (unsigned index = 0; index < chunk->slot_count; index++) {
      mi_slot_ref_t ref = {chunk, index};
      if (inside > 0) {
        inside--;
      } else if ((free >> index & 1) == 0) {
        inside = mi_run_slots(ref) - 1;
        fn(ref, arg);
      }
    }
  }
}

static void look(mi_slot_ref_t ref, void* arg) {
  const mi_segment_t* segment = (const mi_segment_t*)mi_slot_start(ref);
  bool mine = mi_segment_is_live(ref) ? segment->cookie == mi_segment_cookie(segment) &&
                                            mi_mark_peek(ref) == NULL && !is_of_another(segment)
                                      : !mi_slot_is_lost(ref);
  bool* cut_off = arg;
  *cut_off |= !mine;
}

bool mi_segments_were_cut_off(void) {
  bool cut_off = false;
  for_each_slot(look, &cut_off);
  return cut_off;
}

static void orphan(mi_segment_t* segment, void* arg) {
  (void)arg;
  if (!is_of_another(segment)) return;
  atomic_store_explicit(&segment->thread_id, ORPHAN, memory_order_relaxed);
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    atomic_store_explicit(&segment->pages[mi_ctz64(pages)].freer, 0, memory_order_relaxed);
  }
}

/* The thread that was ending the segment, or had moved its memory away, is not there. There may be no header. The
   caller has pinned the slot. */
static void complete_end(mi_slot_ref_t ref) {
  mi_mark_set(ref, NULL);
  if (mi_slot_state(ref)->run_units != 0) {
    mi_run_restore(ref);
  } else {
    mi_units_restore(ref, 1);
  }
  mi_segment_unpin(ref);
  mi_segment_end(ref);
}

/* The thread that had taken the slot and not yet made a segment, or had ended one and not yet released the slot, is not
   there. */
static void complete_release(mi_slot_ref_t ref) {
  /* A run gets that word after its units, and loses it before them: it has all of them. */
  if (mi_slot_state(ref)->run_units != 0) {
    mi_run_release(ref);
  } else {
    mi_units_restore(ref, 0);
    mi_slot_release(ref);
  }
}

/* The thread that held this segment is not there; it may have been giving back a page, also the last one. False if the
   segment has no pages, and ends. */
static bool complete_hold(mi_slot_ref_t ref, mi_segment_t* segment) {
  mi_segment_forget_ended_pages(segment);
  if (segment->used == 0) {
    segment->cookie = 0;
    return false;
  }
  mi_mark_set(ref, mi_mark_subproc(mi_mark_peek(ref)));
  return true;
}

static void orphan_slot(mi_slot_ref_t ref, void* arg) {
  void (**fn)(mi_page_t * page, bool held) = arg;
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) {
    if (mi_slot_is_lost(ref)) complete_release(ref);
    return;
  }
  if (segment->cookie == 0) {
    complete_end(ref);
    return;
  }
  orphan(segment, NULL);
  bool held = mi_mark_is_held(mi_mark_peek(ref)) && !mi_abandoned_visits(ref);
  if (held && mi_segment_owner(segment) != 0) { /* it was just being adopted, or abandoned */
    mi_mark_set(ref, NULL);
    held = false;
  }
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    (*fn)(&segment->pages[mi_ctz64(pages)], held);
  }
  if (held && !complete_hold(ref, segment)) {
    complete_end(ref);
    return;
  }
  uintptr_t owner = mi_segment_owner(segment);
  if (owner == 0 || owner == mi_os_thread_id()) mi_segment_restore_units(segment);
  mi_segment_unpin(ref);
}

typedef struct count_s {
  int64_t segments;
  int64_t committed;
  int64_t huge;
} count_t;

static void add_mapping(mi_segment_t* segment, void* arg) {
  count_t* count = arg;
  if (!mi_segment_is_huge(segment) || segment->chunk != NULL) return;
  count->committed += (int64_t)segment->huge_size;
  if (segment->cookie != 0) count->huge += (int64_t)segment->pages[0].block_size;
}

/* Other threads may have been about to count what they had done. */
static void count_again(void) {
  count_t count = {.committed = (int64_t)(mi_huge_cache_size() + mi_abandoned_visits_freed())};
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (walk.slot.index >= walk.slot.chunk->slot_count) continue;
    mi_slot_t* slot = mi_slot_state(walk.slot);
    count.committed += mi_popcount64(~atomic_load(&slot->clean)) * (int64_t)MI_UNIT_SIZE;
    if (!mi_segment_is_live(walk.slot)) continue;
    if (slot->run_units == 0) {
      count.segments++;
    } else {
      count.huge += (int64_t)((mi_segment_t*)mi_slot_start(walk.slot))->pages[0].block_size;
    }
  }
  mi_segment_table_for_each(add_mapping, &count);
  mi_stat_set(segments, count.segments);
  mi_stat_set(committed, count.committed);
  mi_stat_set(malloc_huge, count.huge);
}

void mi_segments_orphan(void (*fn)(mi_page_t* page, bool held)) {
  for_each_slot(orphan_slot, &fn);
  mi_segment_table_for_each(orphan, NULL);
  mi_free_slots_restore();
  count_again();
}

static void call_if_of_another(mi_segment_t* segment, void* arg) {
  void (**fn)(mi_segment_t * segment) = arg;
  if (is_of_another(segment)) (*fn)(segment);
}

static void call_in_slot(mi_slot_ref_t ref, void* arg) {
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  call_if_of_another(segment, arg);
  mi_segment_unpin(ref);
}

void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment)) {
  for_each_slot(call_in_slot, &fn);
  mi_segment_table_for_each(call_if_of_another, &fn);
}
