#include "segment/abandoned.h"

#include "os/rare.h"
#include "segment/pin.h"
#include "stats/stats.h"

static _Atomic(size_t) count;

size_t mi_abandoned_count(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_assert(segment->used > 0 && segment->abandoned_pages == segment->used &&
            !segment->in_free_queue);
  mi_chunk_t* chunk = segment->chunk;
  uint32_t bit = 1u << segment->slot_index;
  segment->abandoned_pages = 0;
  tld->count--;
  atomic_store_explicit(&segment->thread_id, 0, memory_order_relaxed);
  mi_race_window();
  mi_stat_up(segments_abandoned, 1);
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  /* Release: the next owner sees everything in the segment as we left it. */
  atomic_fetch_or_explicit(&chunk->abandoned, bit, memory_order_release);
}

static void own(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_race_window();
  atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
  mi_stat_down(segments_abandoned, 1);
  atomic_store_explicit(&segment->thread_id, mi_os_thread_id(), memory_order_relaxed);
  tld->count++;
  mi_segment_queue_add(tld, segment);
}

/* Acquire pairs with the release of mi_segment_abandon. */
static bool clear_mark(mi_chunk_t* chunk, uint32_t bit) {
  return (atomic_fetch_and_explicit(&chunk->abandoned, ~bit, memory_order_acquire) & bit) != 0;
}

bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment) {
  if (!clear_mark(segment->chunk, 1u << segment->slot_index)) return false;
  own(tld, segment);
  return true;
}

static mi_segment_t* adopt_in(mi_segments_tld_t* tld, mi_chunk_t* chunk) {
  uint32_t marks = atomic_load_explicit(&chunk->abandoned, memory_order_relaxed);
  while (marks != 0) {
    uint32_t bit = marks & (0u - marks);
    marks &= ~bit;
    if (!clear_mark(chunk, bit)) continue;
    mi_segment_t* segment = (mi_segment_t*)mi_slot_start((mi_slot_ref_t){chunk, mi_ctz64(bit)});
    own(tld, segment);
    return segment;
  }
  return NULL;
}

mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld) {
  size_t chunks = mi_chunk_count();
  for (size_t looked_at = 0; looked_at < chunks && mi_abandoned_count() > 0; looked_at++) {
    if (tld->adopt_cursor >= chunks) tld->adopt_cursor = 0;
    mi_segment_t* segment = adopt_in(tld, mi_chunk_at(tld->adopt_cursor));
    if (segment != NULL) return segment;
    tld->adopt_cursor++;
  }
  return NULL;
}

/* No thread has this id, and it is not that of an abandoned segment. */
#define ORPHAN ((uintptr_t)1)

static bool is_of_another(mi_segment_t* segment) {
  uintptr_t owner = mi_segment_owner(segment);
  return owner != 0 && owner != ORPHAN && owner != mi_os_thread_id();
}

/* Calls fn for each slot that holds a segment. */
static void for_each_slot(void (*fn)(mi_slot_ref_t ref, void* arg), void* arg) {
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t free = atomic_load_explicit(&chunk->free, memory_order_acquire);
    for (unsigned index = 0; index < chunk->slot_count; index++) {
      if ((free >> index & 1) == 0) fn((mi_slot_ref_t){chunk, index}, arg);
    }
  }
}

static void orphan(mi_segment_t* segment, void* arg) {
  (void)arg;
  if (!is_of_another(segment)) return;
  atomic_store_explicit(&segment->thread_id, ORPHAN, memory_order_relaxed);
}

static void orphan_slot(mi_slot_ref_t ref, void* arg) {
  orphan((mi_segment_t*)mi_slot_start(ref), NULL);
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  void (**fn)(mi_page_t * page) = arg;
  for (unsigned i = 0; i < segment->page_count; i++) (*fn)(&segment->pages[i]);
  mi_segment_unpin(ref);
}

void mi_segments_orphan(void (*fn)(mi_page_t* page)) {
  for_each_slot(orphan_slot, &fn);
  mi_segment_table_for_each(orphan, NULL);
}

static void call_if_of_another(mi_segment_t* segment, void* arg) {
  void (**fn)(mi_segment_t * segment) = arg;
  if (is_of_another(segment)) (*fn)(segment);
}

static void call_in_slot(mi_slot_ref_t ref, void* arg) {
  call_if_of_another((mi_segment_t*)mi_slot_start(ref), arg);
}

void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment)) {
  for_each_slot(call_in_slot, &fn);
  mi_segment_table_for_each(call_if_of_another, &fn);
}
