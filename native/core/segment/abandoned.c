#include "segment/abandoned.h"

#include "os/rare.h"
#include "segment/arena.h"
#include "segment/mark.h"
#include "segment/owner_lock.h"
#include "segment/segment_queue.h"
#include "stats/stats.h"

static bool is_apart(const mi_arena_t* arena) { return arena != NULL && arena->exclusive; }

size_t mi_abandoned_count(const mi_segments_tld_t* tld) {
  return atomic_load_explicit(is_apart(tld->arena) ? &tld->arena->abandoned
                                                   : &mi_subproc_of(tld)->abandoned,
                              memory_order_relaxed);
}

size_t mi_abandoned_total(void) {
  size_t total = atomic_load_explicit(&mi_subproc_first.abandoned, memory_order_relaxed);
  size_t arenas = mi_arena_count();
  for (size_t i = 0; i < arenas; i++) {
    total += atomic_load_explicit(&mi_arena_at(i)->abandoned, memory_order_relaxed);
  }
  return total;
}

static void change_count(const mi_chunk_t* chunk, mi_subproc_t* subproc, size_t by) {
  mi_arena_t* arena = mi_arena_of(chunk);
  atomic_fetch_add_explicit(is_apart(arena) ? &arena->abandoned : &subproc->abandoned, by,
                            memory_order_relaxed);
}

/* Communal segments have no owner, but no thread has left them: segments_abandoned leaves them
   out. */
static void count_up(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  if (subproc != &mi_subproc_communal) mi_stat_up(segments_abandoned, 1);
  change_count(chunk, subproc, 1);
}

static void count_down(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  change_count(chunk, subproc, (size_t)-1);
  if (subproc != &mi_subproc_communal) mi_stat_down(segments_abandoned, 1);
}

void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_assert(segment->used > 0 && segment->abandoned_pages == segment->used &&
            segment->queue == MI_QUEUE_NONE);
  mi_subproc_t* subproc = mi_subproc_of(tld);
  mi_slot_ref_t ref = mi_segment_slot(segment);
  segment->abandoned_pages = 0;
  mi_segment_set_lock(segment, NULL);
  tld->count--;
  atomic_store_explicit(&segment->subproc, subproc, memory_order_relaxed);
  mi_mark_set(ref, mi_mark_held(subproc));
  /* Release pairs with the acquire in api/free.c: a thread that sees that the segment has no owner
     sees how many blocks each page had. */
  atomic_store_explicit(&segment->thread_id, 0, memory_order_release);
  mi_race_window();
  count_up(ref.chunk, subproc);
  mi_mark_set(ref, subproc); /* after this the segment may be gone */
}

static void own(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_race_window();
  count_down(segment->chunk, mi_subproc_of(tld));
  atomic_store_explicit(&segment->thread_id, mi_os_thread_id(), memory_order_relaxed);
  mi_segment_set_lock(segment, tld->lock);
  mi_mark_set(mi_segment_slot(segment), NULL);
  tld->count++;
  mi_segment_queue_update(tld, segment);
}

bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment) {
  if (!mi_mark_take(mi_segment_slot(segment), mi_subproc_of(tld))) return false;
  own(tld, segment);
  return true;
}

/* Adopts the abandoned segment of a slot; NULL if there is none that tld may adopt, or another
   thread takes it. */
static mi_segment_t* adopt_at(mi_segments_tld_t* tld, mi_slot_ref_t ref) {
  mi_subproc_t* subproc = mi_subproc_of(tld);
  /* Acquire: a chunk with an abandoned segment has its final `arena`. */
  if (atomic_load_explicit(mi_mark_of(ref), memory_order_acquire) != subproc ||
      !mi_arena_admits(ref.chunk, tld->arena) || !mi_mark_take(ref, subproc)) {
    return NULL;
  }
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  own(tld, segment);
  return segment;
}

/* The number of chunks that may have what tld wants; *first is the number of the first one. */
static size_t chunks_for(const mi_segments_tld_t* tld, size_t* first) {
  *first = tld->arena == NULL ? 0 : tld->arena->first_chunk;
  return tld->arena == NULL ? mi_chunk_count() : tld->arena->chunk_count;
}

mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld) {
  size_t first;
  size_t chunks = chunks_for(tld, &first);
  size_t cursor = tld->adopt_cursor;
  mi_segment_t* segment = NULL;
  for (size_t looked_at = 0; looked_at < chunks && mi_abandoned_count(tld) > 0; looked_at++) {
    if (cursor >= chunks) cursor = 0;
    mi_slot_walk_t walk = mi_walk_slots_of(first + cursor, 1);
    while (segment == NULL && mi_next_slot(&walk)) segment = adopt_at(tld, walk.slot);
    if (segment != NULL) break;
    cursor++;
  }
  tld->adopt_cursor = (uint16_t)cursor; /* a hint: any value is right */
  return segment;
}

/* ---- Holding ---- */

/* Sequentially consistent: a thread that cannot take the mark sets its bit in `missed` and then
   looks at the mark again; a thread that lets go sets the mark and then reads `missed`. At least
   one of the two sees what the other stored. */
mi_segment_t* mi_abandoned_hold(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  if (!mi_mark_take(ref, subproc)) {
    atomic_fetch_or(&ref.chunk->missed, 1u << ref.index);
    atomic_thread_fence(memory_order_seq_cst);
    if (!mi_mark_take(ref, subproc)) return NULL;
  }
  mi_race_window();
  return (mi_segment_t*)mi_slot_start(ref);
}

mi_segment_t* mi_abandoned_hold_patiently(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  for (unsigned round = 0; !mi_mark_take(ref, subproc); round++) {
    /* Acquire pairs with mi_mark_set: if the mark is gone, the thread that held the segment has
       counted it down. */
    mi_subproc_t* mark = atomic_load_explicit(mi_mark_of(ref), memory_order_acquire);
    if (mi_mark_subproc(mark) != subproc) return NULL;
    mi_os_yield(round);
  }
  return (mi_segment_t*)mi_slot_start(ref);
}

bool mi_abandoned_let_go(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  mi_race_window();
  mi_mark_set(ref, subproc);
  atomic_thread_fence(memory_order_seq_cst);
  uint32_t bit = 1u << ref.index;
  if (mi_likely((atomic_load(&ref.chunk->missed) & bit) == 0)) return false;
  return (atomic_fetch_and(&ref.chunk->missed, ~bit) & bit) != 0;
}

void mi_abandoned_ended(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  count_down(ref.chunk, subproc);
}

void mi_abandoned_count_given(mi_subproc_t* from, mi_slot_ref_t ref) {
  if (!is_apart(mi_arena_of(ref.chunk))) change_count(ref.chunk, &mi_subproc_first, 1);
  if (from == &mi_subproc_communal) mi_stat_up(segments_abandoned, 1);
}

/* ---- In a forked child ---- */

static void each_mark(void (*fn)(const mi_chunk_t* chunk, mi_subproc_t* subproc)) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    mi_subproc_t* mark = mi_mark_peek(walk.slot);
    if (mark != NULL) fn(walk.slot.chunk, mi_mark_subproc(mark));
  }
}

static void forget_count(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  (void)chunk;
  atomic_store_explicit(&subproc->abandoned, 0, memory_order_relaxed);
}

void mi_abandoned_count_again(void) {
  mi_stat_down(segments_abandoned, mi_stat_current(segments_abandoned));
  atomic_store_explicit(&mi_subproc_first.abandoned, 0, memory_order_relaxed);
  atomic_store_explicit(&mi_subproc_communal.abandoned, 0, memory_order_relaxed);
  for (size_t i = 0; i < mi_arena_count(); i++) {
    atomic_store_explicit(&mi_arena_at(i)->abandoned, 0, memory_order_relaxed);
  }
  each_mark(forget_count);
  each_mark(count_up);
}
