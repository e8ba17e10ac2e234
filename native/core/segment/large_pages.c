#include "segment/large_pages.h"

#include "options/options.h"
#include "os/rare.h"
#include "segment/arena.h"
#include "segment/pace.h"

typedef struct half_s {
  mi_slot_ref_t ref;
  unsigned half;
} half_t;

static uint8_t* start_of(half_t at) { return mi_slot_start(at.ref) + at.half * MI_OS_LARGE_PAGE; }

/* ---- Where it makes sense ---- */

/* With purge_delay 0, what is free of one would be purged at once. */
static bool is_allowed(void) {
  return mi_option_is_enabled(mi_option_allow_thp) &&
         !mi_option_is_enabled(mi_option_allow_large_os_pages) &&
         mi_option_get(mi_option_purge_delay) != 0;
}

static bool system_gives_some(void) {
  enum { UNKNOWN, YES, NO };
  static _Atomic(uint8_t) answer;
  uint8_t known = atomic_load_explicit(&answer, memory_order_relaxed);
  if (known == UNKNOWN) {
    known = mi_os_gives_large_pages() ? YES : NO;
    atomic_store_explicit(&answer, known, memory_order_relaxed);
  }
  return known == YES;
}

static bool faults_are_dear(void) {
  enum { DEAR_NS = 3000 };
  return mi_pace_fault_ns() >= DEAR_NS;
}

static bool is_worth_it(void) {
  return mi_rare(mi_rare_large_page) || (system_gives_some() && faults_are_dear());
}

/* Memory from the system that is purged and committed like any other. */
static bool is_ordinary(const mi_chunk_t* chunk) {
  return mi_arena_of(chunk) == NULL && !chunk->resident && !chunk->uncommitted &&
         chunk->slot_count == MI_SLOTS_PER_CHUNK;
}

/* ---- Whether memory is written all over ----
   A half in ordinary pages, the probe, is looked at when several others came into use after it. */

typedef struct evidence_s {
  _Atomic(uintptr_t) probe; /* number_of; 0: none */
  _Atomic(uint32_t) offers; /* since it is the probe */
  _Atomic(bool) is_dense;   /* as the last one was */
  _Atomic(uint32_t)
      per_probe; /* of so many halves, one has ordinary pages in any case; 0: LEAST_PER_PROBE */
} evidence_t;

static evidence_t evidence[MI_LARGE_USES];
enum { LEAST_PER_PROBE = 8, MOST_PER_PROBE = 64 };

static uintptr_t number_of(half_t at) {
  return (at.ref.chunk->number * MI_SLOTS_PER_CHUNK + at.ref.index) * 2 + at.half + 1;
}

static half_t half_with(uintptr_t number) {
  size_t slot = (number - 1) / 2;
  mi_slot_ref_t ref = {mi_chunk_at(slot / MI_SLOTS_PER_CHUNK), slot % MI_SLOTS_PER_CHUNK};
  return (half_t){ref, (number - 1) % 2};
}

typedef struct share_s {
  size_t resident;
  size_t all;
} share_t;

enum { PAGES = MI_OS_LARGE_PAGE / MI_OS_LEAST_PAGE, PER_UNIT = PAGES / MI_LARGE_PAGE_UNITS };

/* Of the pages in units that are in use, or were. */
static share_t share_of(half_t at) {
  unsigned char resident[PAGES];
  share_t share = {0, 0};
  /* A chunk may be unmapped at any time. Whatever is there then, this only looks. */
  if (at.ref.chunk->start == NULL || !mi_os_resident(start_of(at), MI_OS_LARGE_PAGE, resident)) {
    return share;
  }
  uint64_t clean = atomic_load_explicit(&mi_slot_state(at.ref)->clean, memory_order_relaxed);
  clean >>= at.half * MI_LARGE_PAGE_UNITS;
  for (unsigned i = 0; i < PAGES; i++) {
    if ((clean >> (i / PER_UNIT) & 1) != 0) continue;
    share.all++;
    share.resident += resident[i] & 1;
  }
  return share;
}

static uint32_t per_probe(evidence_t* of) {
  uint32_t present = atomic_load_explicit(&of->per_probe, memory_order_relaxed);
  return present > LEAST_PER_PROBE ? present : LEAST_PER_PROBE;
}

/* The more often it was so, the less often it is asked. */
static void note(evidence_t* of, bool is_dense) {
  uint32_t next = is_dense ? 2 * per_probe(of) : LEAST_PER_PROBE;
  if (next > MOST_PER_PROBE) next = MOST_PER_PROBE;
  atomic_store_explicit(&of->per_probe, next, memory_order_relaxed);
  atomic_store_explicit(&of->is_dense, is_dense, memory_order_relaxed);
}

static void look_at_probe(evidence_t* of) {
  enum { LEAST_OFFERS = 4, MOST_OFFERS = 64 };
  uint32_t offers = atomic_fetch_add_explicit(&of->offers, 1, memory_order_relaxed);
  if (offers < LEAST_OFFERS) return;
  uintptr_t number = atomic_exchange_explicit(&of->probe, 0, memory_order_relaxed);
  if (number == 0) return;
  share_t share = share_of(half_with(number));
  /* A block that nobody has begun to write yet says nothing; nor does what was purged. */
  if (share.resident > 0 && 2 * share.all >= PAGES) {
    note(of, 16 * share.resident > 15 * share.all);
  } else if (share.all > 0 && offers < MOST_OFFERS) {
    atomic_store_explicit(&of->probe, number, memory_order_relaxed);
  }
}

static void become_probe(evidence_t* of, half_t at) {
  uintptr_t none = 0;
  if (atomic_load_explicit(&of->probe, memory_order_relaxed) != none) return;
  atomic_store_explicit(&of->offers, 0, memory_order_relaxed);
  atomic_compare_exchange_strong_explicit(&of->probe, &none, number_of(at), memory_order_relaxed,
                                          memory_order_relaxed);
}

/* ---- Requests ---- */

/* For the system each may be a mapping, and what is between two another one, of which it has 65,530 for a process. */
enum { MOST_REQUESTS = 16384 };
static _Atomic(size_t) requests;

static void ask_for(half_t at) {
  mi_chunk_t* chunk = at.ref.chunk;
  if (atomic_load_explicit(&requests, memory_order_relaxed) >= MOST_REQUESTS) return;
  atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
  /* For the system a chunk has two kinds of memory then, and not three: a block can still be moved in one piece once
     its requests are taken back. */
  if (!atomic_exchange_explicit(&chunk->has_large, true, memory_order_relaxed)) {
    mi_os_avoid_large_pages(chunk->start, MI_CHUNK_SIZE);
  }
  atomic_fetch_or_explicit(&mi_slot_state(at.ref)->large, (uint8_t)(1u << at.half),
                           memory_order_relaxed);
  mi_os_prefer_large_pages(start_of(at), MI_OS_LARGE_PAGE);
  /* What is free of it comes with the rest. Acquire and the release in there: as where units are taken and given back. */
  uint64_t units = mi_large_page_units(at.half);
  uint64_t free =
      atomic_fetch_and_explicit(&mi_slot_state(at.ref)->clean, ~units, memory_order_acquire) &
      units;
  if (free == 0) return;
  mi_stat_up(committed, mi_popcount64(free) * MI_UNIT_SIZE);
  mi_units_release(at.ref, free, 0);
}

/* Whether there was a request for that half. */
static bool forget(half_t at) {
  uint8_t bit = (uint8_t)(1u << at.half);
  _Atomic(uint8_t)* large = &mi_slot_state(at.ref)->large;
  uint8_t before = atomic_fetch_and_explicit(large, (uint8_t)~bit, memory_order_relaxed);
  if ((before & bit) == 0) return false;
  atomic_fetch_sub_explicit(&requests, 1, memory_order_relaxed);
  return true;
}

void mi_large_pages_take_back(mi_slot_ref_t ref, uint64_t units) {
  for (unsigned half = 0; half < 2; half++) {
    half_t at = {ref, half};
    if ((units & mi_large_page_units(half)) != 0 && forget(at)) {
      mi_os_avoid_large_pages(start_of(at), MI_OS_LARGE_PAGE);
    }
  }
}

void mi_large_pages_forget(mi_slot_ref_t ref) {
  for (unsigned half = 0; half < 2; half++) (void)forget((half_t){ref, half});
}

void mi_large_pages_end_between(mi_slot_ref_t ref, const void* from, const void* to) {
  size_t unit = (size_t)((const uint8_t*)from - mi_slot_start(ref)) >> MI_UNIT_SHIFT;
  size_t last = (size_t)((const uint8_t*)to - 1 - mi_slot_start(ref)) >> MI_UNIT_SHIFT;
  while (unit <= last) {
    unsigned first = (unsigned)(unit % MI_UNITS_PER_SEGMENT);
    size_t here = MI_UNITS_PER_SEGMENT - first;
    if (here > last + 1 - unit) here = last + 1 - unit;
    mi_slot_ref_t slot = {ref.chunk, ref.index + (unsigned)(unit / MI_UNITS_PER_SEGMENT)};
    mi_large_pages_end(slot, mi_bits64(first, (unsigned)here));
    unit += here;
  }
}

void mi_large_pages_offer(mi_slot_ref_t ref, unsigned half, mi_large_use_t use) {
  half_t at = {ref, half};
  if (!is_ordinary(ref.chunk) || !is_allowed() || !is_worth_it()) return;
  evidence_t* of = &evidence[use];
  look_at_probe(of);
  bool is_dense = atomic_load_explicit(&of->is_dense, memory_order_relaxed);
  uint32_t offers = atomic_load_explicit(&of->offers, memory_order_relaxed);
  if (is_dense && offers % per_probe(of) != 0) {
    ask_for(at);
  } else {
    become_probe(of, at);
  }
}

void mi_large_pages_taken_to_grow(mi_slot_ref_t ref, uint64_t clean, size_t block_size) {
  bool is_page = block_size <= MI_MEDIUM_BLOCK_MAX;
  if (mi_stat_current(committed) < MI_LARGE_PAGES_LEAST * mi_stat_current(threads)) return;
  uint64_t left = atomic_load_explicit(&mi_slot_state(ref)->clean, memory_order_relaxed);
  for (unsigned half = 0; half < 2; half++) {
    uint64_t units = mi_large_page_units(half);
    uint64_t taken = clean & units;
    bool was_clean = ((clean | left) & units) == units;
    if (taken != 0 && taken != units && was_clean) {
      mi_large_pages_offer(ref, half, is_page ? MI_LARGE_FOR_PAGES : MI_LARGE_FOR_LARGE_BLOCKS);
    }
  }
}
