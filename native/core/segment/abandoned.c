#include "segment/abandoned.h"

#include "os/rare.h"
#include "segment/arena.h"
#include "segment/huge.h"
#include "segment/pin.h"
#include "segment/place.h"
#include "segment/run.h"
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

/* Communal segments are nobody's, but no thread has left them. */
static void count_up(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  if (subproc != &mi_subproc_communal) mi_stat_up(segments_abandoned, 1);
  change_count(chunk, subproc, 1);
}

static void count_down(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  change_count(chunk, subproc, (size_t)-1);
  if (subproc != &mi_subproc_communal) mi_stat_down(segments_abandoned, 1);
}

typedef _Atomic(mi_subproc_t*) mark_t;

static mark_t* mark_of(mi_slot_ref_t ref) { return &ref.chunk->abandoned[ref.index]; }

/* Release: who takes the mark sees everything in the segment as we leave it. */
static void set_mark(mark_t* mark, mi_subproc_t* subproc) {
  atomic_store_explicit(mark, subproc, memory_order_release);
}

/* What the mark is while a thread has taken it, or is about to set it: a forked child sets it again if that thread
   is not there. */
#define HELD ((uintptr_t)1)

static mi_subproc_t* held(mi_subproc_t* subproc) {
  return (mi_subproc_t*)((uintptr_t)subproc | HELD);
}
static bool is_held(const mi_subproc_t* mark) { return ((uintptr_t)mark & HELD) != 0; }
static mi_subproc_t* subproc_in(const mi_subproc_t* mark) {
  return (mi_subproc_t*)((uintptr_t)mark & ~HELD);
}

/* False if the mark is gone, or held, or another's. Acquire pairs with the release of set_mark. */
static bool take_mark(mark_t* mark, mi_subproc_t* subproc) {
  mi_subproc_t* found = atomic_load_explicit(mark, memory_order_relaxed);
  return found == subproc &&
         atomic_compare_exchange_strong_explicit(mark, &found, held(subproc), memory_order_acquire,
                                                 memory_order_relaxed);
}

/* Of communal segments, by the logarithm of the units that are wanted: what has room is most likely in this chunk or a
   later one. A hint: what was held when it was looked at is passed by, as what is too short for one size of these. */
static _Atomic(size_t) room_from[MI_ROOM_COUNT];

static uint64_t free_units(mi_slot_ref_t ref) {
  mi_slot_t* slot = mi_slot_state(ref);
  return (atomic_load_explicit(&slot->dirty, memory_order_relaxed) |
          atomic_load_explicit(&slot->clean, memory_order_relaxed)) &
         ~(uint64_t)1;
}

static void note_room(mi_slot_ref_t ref) {
  int longest = mi_longest_run(free_units(ref));
  for (int i = 0; i <= longest; i++) {
    if (atomic_load_explicit(&room_from[i], memory_order_relaxed) > ref.chunk->number) {
      atomic_store_explicit(&room_from[i], ref.chunk->number, memory_order_relaxed);
    }
  }
}

/* Looks at what belongs to the slot, not at the segment, which may end at any time. */
static bool seems_to_fit(mi_slot_ref_t ref, size_t block_size, bool resident) {
  uint64_t places = mi_places_for(free_units(ref), block_size);
  if (resident) places &= atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  return places != 0;
}

static mi_segment_t* hold_in_chunk(mi_chunk_t* chunk, size_t block_size, bool resident) {
  mi_subproc_t* subproc = &mi_subproc_communal;
  for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
    mi_slot_ref_t ref = {chunk, index};
    if (atomic_load_explicit(mark_of(ref), memory_order_relaxed) == subproc &&
        seems_to_fit(ref, block_size, resident) && take_mark(mark_of(ref), subproc)) {
      return (mi_segment_t*)mi_slot_start(ref);
    }
  }
  return NULL;
}

/* In the chunks from `from` to before `to`; *from becomes where it was found. */
static mi_segment_t* hold_between(size_t* from, size_t to, size_t block_size, bool resident) {
  for (; *from < to; ++*from) {
    mi_segment_t* segment = hold_in_chunk(mi_chunk_at(*from), block_size, resident);
    if (segment != NULL) return segment;
  }
  return NULL;
}

mi_segment_t* mi_communal_hold_for(size_t block_size, bool resident) {
  enum { MOST_FOR_RESIDENT = 4 };
  _Atomic(size_t)* from = &room_from[mi_bsr64(mi_units_for(block_size))];
  size_t first = atomic_load_explicit(from, memory_order_relaxed);
  size_t i = first;
  size_t end = mi_chunk_count();
  if (resident) {
    size_t most = first + MOST_FOR_RESIDENT;
    return hold_between(&i, end < most ? end : most, block_size, true);
  }
  mi_segment_t* segment = hold_between(&i, end, block_size, false);
  if (segment == NULL) {
    i = 0;
    segment = hold_between(&i, first < end ? first : end, block_size, false);
  }
  if (segment != NULL && i != first) atomic_store_explicit(from, i, memory_order_relaxed);
  return segment;
}

void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_assert(segment->used > 0 && segment->abandoned_pages == segment->used &&
            segment->room == MI_ROOM_NONE);
  mi_subproc_t* subproc = mi_subproc_of(tld);
  mark_t* mark = &segment->chunk->abandoned[segment->slot_index];
  segment->abandoned_pages = 0;
  tld->count--;
  atomic_store_explicit(&segment->subproc, subproc, memory_order_relaxed);
  set_mark(mark, held(subproc));
  /* Release: who sees that nobody owns it sees how many blocks each page had. */
  atomic_store_explicit(&segment->thread_id, 0, memory_order_release);
  mi_race_window();
  count_up(segment->chunk, subproc);
  mi_slot_ref_t ref = mi_segment_slot(segment); /* after the mark it may be gone */
  set_mark(mark, subproc);
  if (subproc == &mi_subproc_communal) note_room(ref);
}

static void own(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_race_window();
  count_down(segment->chunk, mi_subproc_of(tld));
  atomic_store_explicit(&segment->thread_id, mi_os_thread_id(), memory_order_relaxed);
  set_mark(mark_of(mi_segment_slot(segment)), NULL);
  tld->count++;
  mi_segment_queue_update(tld, segment);
}

bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment) {
  if (!take_mark(&segment->chunk->abandoned[segment->slot_index], mi_subproc_of(tld))) return false;
  own(tld, segment);
  return true;
}

/* The abandoned segment of a slot, if it is for tld and nobody else takes it. */
static mi_segment_t* adopt_at(mi_segments_tld_t* tld, mi_slot_ref_t ref) {
  mi_subproc_t* subproc = mi_subproc_of(tld);
  /* Acquire: a chunk with an abandoned segment has its final `arena`. */
  if (atomic_load_explicit(mark_of(ref), memory_order_acquire) != subproc ||
      !mi_arena_admits(ref.chunk, tld->arena) || !take_mark(mark_of(ref), subproc)) {
    return NULL;
  }
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  own(tld, segment);
  return segment;
}

/* Sequentially consistent: who comes in vain says so and then looks at the mark again; who lets go sets the mark
   and then looks whether somebody came. One of them sees the other. */
mi_segment_t* mi_abandoned_hold(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  if (!take_mark(mark_of(ref), subproc)) {
    atomic_fetch_or(&ref.chunk->missed, 1u << ref.index);
    atomic_thread_fence(memory_order_seq_cst);
    if (!take_mark(mark_of(ref), subproc)) return NULL;
  }
  mi_race_window();
  return (mi_segment_t*)mi_slot_start(ref);
}

mi_segment_t* mi_abandoned_hold_patiently(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  for (unsigned round = 0; !take_mark(mark_of(ref), subproc); round++) {
    mi_subproc_t* found = atomic_load_explicit(mark_of(ref), memory_order_relaxed);
    if (subproc_in(found) != subproc) return NULL;
    mi_os_yield(round);
  }
  return (mi_segment_t*)mi_slot_start(ref);
}

bool mi_abandoned_let_go(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  mi_race_window();
  set_mark(mark_of(ref), subproc);
  atomic_thread_fence(memory_order_seq_cst);
  if (subproc == &mi_subproc_communal) note_room(ref); /* who passed it by meanwhile went on */
  uint32_t bit = 1u << ref.index;
  if (mi_likely((atomic_load(&ref.chunk->missed) & bit) == 0)) return false;
  return (atomic_fetch_and(&ref.chunk->missed, ~bit) & bit) != 0;
}

void mi_abandoned_ends(mi_subproc_t* subproc, const mi_segment_t* segment) {
  set_mark(mark_of(mi_segment_slot(segment)), NULL);
  count_down(segment->chunk, subproc);
}

/* The numbers of the chunks that may have what tld wants. */
static size_t chunks_for(const mi_segments_tld_t* tld, size_t* first) {
  *first = tld->arena == NULL ? 0 : tld->arena->first_chunk;
  return tld->arena == NULL ? mi_chunk_count() : tld->arena->chunk_count;
}

mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld) {
  size_t first;
  size_t chunks = chunks_for(tld, &first);
  for (size_t looked_at = 0; looked_at < chunks && mi_abandoned_count(tld) > 0; looked_at++) {
    if (tld->adopt_cursor >= chunks) tld->adopt_cursor = 0;
    mi_chunk_t* chunk = mi_chunk_at(first + tld->adopt_cursor);
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_segment_t* segment = adopt_at(tld, (mi_slot_ref_t){chunk, index});
      if (segment != NULL) return segment;
    }
    tld->adopt_cursor++;
  }
  return NULL;
}

void mi_segments_adopt_each(mi_segments_tld_t* tld, mi_segment_fun* fn) {
  size_t first;
  size_t chunks = chunks_for(tld, &first);
  for (size_t i = 0; i < chunks && mi_abandoned_count(tld) > 0; i++) {
    mi_chunk_t* chunk = mi_chunk_at(first + i);
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_segment_t* segment = adopt_at(tld, (mi_slot_ref_t){chunk, index});
      if (segment != NULL) fn(tld, segment);
    }
  }
}

/* No thread has this id, and it is not that of an abandoned segment. */
#define ORPHAN ((uintptr_t)1)

static bool is_of_another(mi_segment_t* segment) {
  /* What is only being made is none. */
  if (segment->cookie != mi_segment_cookie(segment)) return false;
  uintptr_t owner = mi_segment_owner(segment);
  return owner != 0 && owner != ORPHAN && owner != mi_os_thread_id();
}

/* Calls fn for each slot that holds a segment. Not for the inside of a run: the program may have taken
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

static void orphan(mi_segment_t* segment, void* arg) {
  (void)arg;
  if (!is_of_another(segment)) return;
  atomic_store_explicit(&segment->thread_id, ORPHAN, memory_order_relaxed);
  for (unsigned i = 0; i < segment->page_count; i++) {
    atomic_store_explicit(&segment->pages[i].freer, 0, memory_order_relaxed);
  }
}

static bool visits(mi_slot_ref_t ref);

/* The thread that held this segment is not there; it may have been giving back a page. */
static void complete_hold(mi_slot_ref_t ref, mi_segment_t* segment) {
  mark_t* mark = mark_of(ref);
  mi_subproc_t* found = atomic_load_explicit(mark, memory_order_relaxed);
  if (!is_held(found) || visits(ref)) return;
  bool is_nobodys = mi_segment_owner(segment) == 0 && segment->cookie == mi_segment_cookie(segment);
  if (is_nobodys) mi_segment_forget_ended_pages(segment);
  set_mark(mark, is_nobodys ? subproc_in(found) : NULL);
}

/* The thread that was ending the segment, or had moved its memory away, is not there. There may be no header. */
static void complete_end(mi_slot_ref_t ref) {
  if (mi_slot_state(ref)->run_units != 0) {
    mi_run_restore(ref);
  } else {
    mi_units_restore(ref, 1);
    mi_stat_down(segments, 1);
  }
  mi_segment_unpin(ref);
  mi_segment_end(ref);
}

static void orphan_slot(mi_slot_ref_t ref, void* arg) {
  orphan((mi_segment_t*)mi_slot_start(ref), NULL);
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  if (segment->cookie == 0) {
    complete_end(ref);
    return;
  }
  complete_hold(ref, segment);
  void (**fn)(mi_page_t * page) = arg;
  for (unsigned i = 0; i < segment->page_count; i++) (*fn)(&segment->pages[i]);
  uintptr_t owner = mi_segment_owner(segment);
  if (owner == 0 || owner == mi_os_thread_id()) mi_segment_restore_units(segment);
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

/* ---- Visiting ---- */

/* The thread that visits, 0 if none does, and what it has taken or pinned: for a forked child. */
static _Atomic(uintptr_t) visitor;
static mi_chunk_t* visited_chunk; /* NULL: none */
static unsigned visited_index;
static mi_subproc_t* visited_subproc;
static mi_segment_t* visited_huge; /* NULL: none */
static size_t visited_place;       /* of that, in the segment table */
static mi_slot_ref_t visited_run;  /* chunk NULL: none */

bool mi_abandoned_is_visiting(void) {
  return atomic_load_explicit(&visitor, memory_order_relaxed) == mi_os_thread_id();
}

/* Whether the calling thread is visiting the segment of this slot. */
static bool visits(mi_slot_ref_t ref) {
  return mi_abandoned_is_visiting() && visited_chunk == ref.chunk && visited_index == ref.index;
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

/* The segment is nobody's while fn runs: neither marked nor owned. */
static bool
visit_slot(mi_subproc_t* subproc, mi_slot_ref_t ref, mi_segment_visit_fun* fn, void* arg) {
  mark_t* mark = &ref.chunk->abandoned[ref.index];
  if (atomic_load_explicit(mark, memory_order_relaxed) != subproc) return true;
  visited_chunk = ref.chunk;
  visited_index = ref.index;
  visited_subproc = subproc;
  bool go_on = true;
  if (take_mark(mark, subproc)) {
    mi_race_window();
    go_on = fn((mi_segment_t*)mi_slot_start(ref), arg);
    set_mark(mark, subproc);
  }
  visited_chunk = NULL;
  return go_on;
}

/* Acquire: the header, as the thread that ended left it. */
static bool is_abandoned_huge(mi_segment_t* segment, mi_subproc_t* subproc) {
  uintptr_t word = atomic_load_explicit(&segment->pages[0].thread_free, memory_order_acquire);
  return (word & MI_TF_STATE_MASK) == MI_TF_UNOWNED &&
         atomic_load_explicit(&segment->subproc, memory_order_relaxed) == subproc;
}

static bool visit_slots(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg) {
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      if (!visit_slot(subproc, (mi_slot_ref_t){chunk, index}, fn, arg)) return false;
    }
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
  if (visited_run.chunk != NULL) mi_segment_unpin(slot); /* not if it ended in a forked child */
  visited_run.chunk = NULL;
  return go_on;
}

static bool visit_huge(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg) {
  bool go_on = true;
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_slot_ref_t slot = {mi_chunk_at(i), index};
      if (!visit_run(subproc, slot, fn, arg)) return false;
    }
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

bool mi_abandoned_for_each(mi_subproc_t* subproc, mi_segment_visit_fun* fn, void* arg) {
  begin_visits();
  bool all = visit_slots(subproc, fn, arg) && visit_huge(subproc, fn, arg);
  end_visits();
  return all;
}

static bool give_to_first(mi_segment_t* segment, void* arg) {
  (void)arg;
  atomic_store_explicit(&segment->subproc, &mi_subproc_first, memory_order_relaxed);
  return true;
}

void mi_abandoned_hand_over(mi_subproc_t* subproc) {
  begin_visits();
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_chunk_t* chunk = mi_chunk_at(i);
      mark_t* mark = &chunk->abandoned[index];
      mi_subproc_t* found = subproc;
      /* Acquire: the chunk's arena. */
      if (atomic_load_explicit(mark, memory_order_acquire) != subproc) continue;
      /* Counted before somebody can adopt it. */
      bool counted = !is_apart(mi_arena_of(chunk));
      if (counted) change_count(chunk, &mi_subproc_first, 1);
      if (subproc == &mi_subproc_communal) mi_stat_up(segments_abandoned, 1);
      /* Release goes on from the set_mark of who left it. Nobody else takes it. */
      bool done = atomic_compare_exchange_strong_explicit(
          mark, &found, &mi_subproc_first, memory_order_acq_rel, memory_order_relaxed);
      mi_assert(done);
      (void)done;
    }
  }
  atomic_store_explicit(&subproc->abandoned, 0, memory_order_relaxed);
  visit_huge(subproc, give_to_first, NULL);
  end_visits();
}

void mi_abandoned_break_off(void) {
  if (visited_chunk != NULL) {
    mark_t* mark = &visited_chunk->abandoned[visited_index];
    /* In a forked child that is done already. */
    if (is_held(atomic_load_explicit(mark, memory_order_relaxed))) set_mark(mark, visited_subproc);
  }
  if (visited_huge != NULL) mi_huge_unpin(visited_huge, visited_place);
  if (visited_run.chunk != NULL) mi_segment_unpin(visited_run);
  visited_run.chunk = NULL;
  visited_chunk = NULL;
  visited_huge = NULL;
  end_visits();
}

static void each_mark(void (*fn)(const mi_chunk_t* chunk, mi_subproc_t* subproc)) {
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_subproc_t* mark = atomic_load_explicit(&chunk->abandoned[index], memory_order_relaxed);
      if (mark != NULL) fn(chunk, subproc_in(mark));
    }
  }
}

static void forget_count(const mi_chunk_t* chunk, mi_subproc_t* subproc) {
  (void)chunk;
  atomic_store_explicit(&subproc->abandoned, 0, memory_order_relaxed);
}

/* Threads that are not there may have been between a mark and its count. */
static void count_again(void) {
  mi_stat_down(segments_abandoned, mi_stat_current(segments_abandoned));
  atomic_store_explicit(&mi_subproc_first.abandoned, 0, memory_order_relaxed);
  atomic_store_explicit(&mi_subproc_communal.abandoned, 0, memory_order_relaxed);
  for (size_t i = 0; i < mi_arena_count(); i++) {
    atomic_store_explicit(&mi_arena_at(i)->abandoned, 0, memory_order_relaxed);
  }
  each_mark(forget_count);
  each_mark(count_up);
}

void mi_abandoned_forked(void) {
  count_again();
  /* All pins have been forgotten, this thread's too. */
  if (mi_abandoned_is_visiting()) {
    if (visited_run.chunk != NULL && mi_segment_pin(visited_run) == NULL) visited_run.chunk = NULL;
    return;
  }
  visited_run.chunk = NULL;
  if (atomic_load(&visitor) != 0) mi_abandoned_break_off();
}
