#include "segment/abandoned.h"

#include "os/rare.h"
#include "segment/arena.h"
#include "segment/pin.h"
#include "stats/stats.h"

static _Atomic(size_t) open_count; /* all but those in exclusive arenas */

size_t mi_abandoned_count(const mi_arena_t* arena) {
  bool apart = arena != NULL && arena->exclusive;
  return atomic_load_explicit(apart ? &arena->abandoned : &open_count, memory_order_relaxed);
}

size_t mi_abandoned_total(void) {
  size_t total = mi_abandoned_count(NULL);
  size_t arenas = mi_arena_count();
  for (size_t i = 0; i < arenas; i++) {
    total += atomic_load_explicit(&mi_arena_at(i)->abandoned, memory_order_relaxed);
  }
  return total;
}

static void change_count(const mi_chunk_t* chunk, size_t by) {
  mi_arena_t* arena = mi_arena_of(chunk);
  bool apart = arena != NULL && arena->exclusive;
  atomic_fetch_add_explicit(apart ? &arena->abandoned : &open_count, by, memory_order_relaxed);
}

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
  change_count(chunk, 1);
  /* Release: the next owner sees everything in the segment as we left it. */
  atomic_fetch_or_explicit(&chunk->abandoned, bit, memory_order_release);
}

static void own(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_race_window();
  change_count(segment->chunk, (size_t)-1);
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

/* The abandoned segment of a slot, if nobody else takes it. */
static mi_segment_t* adopt_at(mi_segments_tld_t* tld, mi_slot_ref_t ref) {
  if (!clear_mark(ref.chunk, 1u << ref.index)) return NULL;
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  own(tld, segment);
  return segment;
}

static uint32_t marks_for(const mi_segments_tld_t* tld, mi_chunk_t* chunk) {
  /* Acquire: a chunk with an abandoned segment has its final `arena`. */
  uint32_t marks = atomic_load_explicit(&chunk->abandoned, memory_order_acquire);
  return marks != 0 && mi_arena_admits(chunk, tld->arena) ? marks : 0;
}

/* The numbers of the chunks that may have what tld wants. */
static size_t chunks_for(const mi_segments_tld_t* tld, size_t* first) {
  *first = tld->arena == NULL ? 0 : tld->arena->first_chunk;
  return tld->arena == NULL ? mi_chunk_count() : tld->arena->chunk_count;
}

mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld) {
  size_t first;
  size_t chunks = chunks_for(tld, &first);
  for (size_t looked_at = 0; looked_at < chunks && mi_abandoned_count(tld->arena) > 0;
       looked_at++) {
    if (tld->adopt_cursor >= chunks) tld->adopt_cursor = 0;
    mi_chunk_t* chunk = mi_chunk_at(first + tld->adopt_cursor);
    for (uint32_t marks = marks_for(tld, chunk); marks != 0; marks &= marks - 1) {
      mi_segment_t* segment = adopt_at(tld, (mi_slot_ref_t){chunk, mi_ctz64(marks)});
      if (segment != NULL) return segment;
    }
    tld->adopt_cursor++;
  }
  return NULL;
}

void mi_segments_adopt_each(mi_segments_tld_t* tld, mi_segment_fun* fn) {
  size_t first;
  size_t chunks = chunks_for(tld, &first);
  for (size_t i = 0; i < chunks && mi_abandoned_count(tld->arena) > 0; i++) {
    mi_chunk_t* chunk = mi_chunk_at(first + i);
    for (uint32_t marks = marks_for(tld, chunk); marks != 0; marks &= marks - 1) {
      mi_segment_t* segment = adopt_at(tld, (mi_slot_ref_t){chunk, mi_ctz64(marks)});
      if (segment != NULL) fn(tld, segment);
    }
  }
}

/* No thread has this id, and it is not that of an abandoned segment. */
#define ORPHAN ((uintptr_t)1)

static bool is_of_another(mi_segment_t* segment) {
  /* What is only being made, and the inside of a huge block, are none. */
  if (segment->cookie != mi_segment_cookie(segment)) return false;
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
