#include "segment/orphan.h"

#include "segment/abandoned_visit.h"
#include "segment/huge_cache.h"
#include "segment/mark.h"
#include "segment/other_threads.h"
#include "segment/owner_lock.h"
#include "segment/pin.h"
#include "segment/run.h"
#include "segment/segment_queue.h"
#include "stats/stats.h"

static void look_for_repair(mi_slot_ref_t ref, void* arg) {
  const mi_segment_t* segment = (const mi_segment_t*)mi_slot_start(ref);
  bool* needed = arg;
  if (!mi_segment_is_live(ref)) {
    *needed |= mi_slot_is_lost(ref);
  } else {
    *needed |= segment->cookie != mi_segment_cookie(segment) || mi_mark_peek(ref) != NULL ||
               mi_segment_is_of_another(segment);
  }
}

bool mi_segments_need_repair(void) {
  bool needed = false;
  mi_for_each_taken_slot(look_for_repair, &needed);
  return needed;
}

/* Makes the segment an orphan if a lost thread owns it. A new thread may get the id of the lost
   one, and would then own its segments; so they get an owner that no thread can be. */
static void make_orphan(mi_segment_t* segment, void* arg) {
  (void)arg;
  if (!mi_segment_is_of_another(segment)) return;
  atomic_store_explicit(&segment->thread_id, MI_ORPHAN, memory_order_relaxed);
  /* Another thread may get it; and what the lost one counted proves nothing. */
  mi_segment_set_lock(segment, NULL);
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    atomic_store_explicit(&segment->pages[mi_ctz64(pages)].freer, 0, memory_order_relaxed);
  }
}

/* For a segment that a lost thread was ending, or whose memory it had moved away: there may be no
   header. The caller has pinned the slot. */
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

/* For a slot that a lost thread had taken without yet making a segment there, or in which it had
   ended a segment without yet releasing the slot. */
static void complete_release(mi_slot_ref_t ref) {
  /* run_units is set after the units of a run were taken, and cleared before they are released. */
  if (mi_slot_state(ref)->run_units != 0) {
    mi_run_release(ref);
  } else {
    mi_units_restore(ref, 0);
    mi_slot_release(ref);
  }
}

/* For a segment that a lost thread held or owned: it may have been giving back a page of it, also
   the last one, or making one, also the first. False if the segment has no pages, and so must
   end. */
static bool complete_pages(mi_segment_t* segment) {
  mi_segment_forget_ended_pages(segment);
  if (segment->used == 0) segment->cookie = 0;
  return segment->used > 0;
}

static bool is_orphan(const mi_segment_t* segment) {
  return mi_segment_owner(segment) == MI_ORPHAN;
}

static void repair_slot(mi_slot_ref_t ref, void* arg) {
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
  make_orphan(segment, NULL);
  bool held = mi_mark_is_held(mi_mark_peek(ref)) && !mi_abandoned_visits(ref);
  if (held && mi_segment_owner(segment) != 0) { /* it was just being adopted, or abandoned */
    mi_mark_set(ref, NULL);
    held = false;
  }
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    (*fn)(&segment->pages[mi_ctz64(pages)], held);
  }
  bool huge_orphan = is_orphan(segment) && mi_segment_is_huge(segment);
  bool of_lost_thread = held || (is_orphan(segment) && !huge_orphan);
  if (of_lost_thread && !complete_pages(segment)) {
    complete_end(ref);
    return;
  }
  if (held) mi_mark_set(ref, mi_mark_subproc(mi_mark_peek(ref)));
  if (!huge_orphan) mi_segment_restore_units(segment);
  mi_segment_unpin(ref);
}

void mi_segments_repair(void (*fn)(mi_page_t* page, bool held)) {
  mi_for_each_taken_slot(repair_slot, &fn);
  mi_segment_table_for_each(make_orphan, NULL);
  mi_free_slots_restore();
}

static void end_pages_if(bool (*fn)(mi_page_t* page), mi_segment_t* segment) {
  mi_segments_tld_t tld = {.count = 1};
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    mi_page_t* page = &segment->pages[mi_ctz64(pages)];
    if (!(*fn)(page)) continue;
    bool last = segment->used == 1;
    mi_stat_down(pages, 1);
    mi_segment_page_free(&tld, page);
    if (last) return;
  }
  mi_segment_queue_remove(&tld, segment);
}

static void end_free_pages(mi_slot_ref_t ref, void* arg) {
  bool (**fn)(mi_page_t * page) = arg;
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  if (is_orphan(segment) && !mi_segment_is_huge(segment)) end_pages_if(*fn, segment);
  mi_segment_unpin(ref);
}

void mi_segments_end_free_pages(bool (*fn)(mi_page_t* page)) {
  mi_for_each_taken_slot(end_free_pages, &fn);
}

typedef struct count_s {
  int64_t segments;
  int64_t pages;
  int64_t committed;
  int64_t huge;
} count_t;

static void add_mapping(mi_segment_t* segment, void* arg) {
  count_t* count = arg;
  if (!mi_segment_is_huge(segment) || segment->chunk != NULL) return;
  count->committed += (int64_t)segment->huge_size;
  if (segment->cookie != 0) count->huge += (int64_t)segment->pages[0].block_size;
}

static void add_slot(count_t* count, mi_slot_ref_t ref) {
  if (ref.index >= ref.chunk->slot_count) return;
  mi_slot_t* slot = mi_slot_state(ref);
  count->committed += mi_popcount64(~atomic_load(&slot->clean)) * (int64_t)MI_UNIT_SIZE;
  if (!mi_segment_is_live(ref)) return;
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  if (slot->run_units == 0) {
    count->segments++;
    count->pages += mi_popcount64(mi_segment_pages(segment));
  } else {
    count->huge += (int64_t)segment->pages[0].block_size;
  }
}

void mi_segments_count_again(int64_t pages_to_come) {
  count_t count = {.committed = (int64_t)(mi_huge_cache_size() + mi_abandoned_visits_freed())};
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) add_slot(&count, walk.slot);
  mi_segment_table_for_each(add_mapping, &count);
  mi_stat_set(segments, count.segments);
  mi_stat_set(pages, count.pages - pages_to_come);
  mi_stat_set(committed, count.committed);
  mi_stat_set(malloc_huge, count.huge);
}
