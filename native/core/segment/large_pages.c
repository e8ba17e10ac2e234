#include "segment/large_pages.h"

#include "os/rare.h"
#include "os/track.h"
#include "segment/arena.h"
#include "segment/map.h"
#include "segment/pace.h"

typedef struct half_s {
  mi_slot_ref_t ref;
  unsigned half;
} half_t;

static uint8_t* start_of(half_t at) { return mi_slot_start(at.ref) + at.half * MI_OS_LARGE_PAGE; }

static uint8_t bit_of(half_t at) { return (uint8_t)(1u << at.half); }

static bool has_bit(const _Atomic(uint8_t)* halves, half_t at) {
  return (atomic_load_explicit(halves, memory_order_relaxed) & bit_of(at)) != 0;
}

/* ---- Where it makes sense ---- */

/* Not with purge_delay 0: the free part of a large page would be purged at once. Not in tracking
   builds: is_prepared writes to memory that was not announced to the tool. */
static bool is_allowed(void) {
  return !MI_TRACK && mi_os_page_size() == MI_OS_LEAST_PAGE &&
         mi_option_is_enabled(mi_option_allow_thp) &&
         !mi_option_is_enabled(mi_option_allow_large_os_pages) &&
         mi_option_get(mi_option_purge_delay) != 0;
}

static _Atomic(mi_large_pages_t) system_gives; /* what the system says, or is found to do */

static mi_large_pages_t ask_system(void) {
  mi_large_pages_t known = atomic_load_explicit(&system_gives, memory_order_relaxed);
  if (known == MI_LARGE_PAGES_UNKNOWN) {
    known = mi_os_large_pages();
    atomic_store_explicit(&system_gives, known, memory_order_relaxed);
  }
  return known;
}

static bool faults_are_dear(void) {
  enum { DEAR_NS = 3000 };
  return mi_pace_fault_ns() >= DEAR_NS;
}

static bool is_worth_it(void) {
  if (mi_rare(mi_rare_large_page)) return true;
  mi_large_pages_t gives = ask_system();
  return gives == MI_LARGE_PAGES_EVERYWHERE ||
         (gives == MI_LARGE_PAGES_ON_REQUEST && faults_are_dear());
}

/* Whether the slot has memory from the system that is purged and committed like any other. */
static bool is_ordinary(mi_slot_ref_t ref) {
  const mi_chunk_t* chunk = ref.chunk;
  return mi_arena_of(chunk) == NULL && !chunk->resident && !chunk->uncommitted &&
         chunk->slot_count == MI_SLOTS_PER_CHUNK &&
         atomic_load_explicit(&mi_slot_state(ref)->clean_is_zero, memory_order_relaxed);
}

/* ---- Whether memory is written all over ----
   A half in ordinary pages, the *probe*, is looked at when several other halves came into use after
   it. If it turns out to be written all over, a number of requests may follow. */

static struct {
  _Atomic(uint64_t) probe;  /* word_of its half; 0: none */
  _Atomic(uint64_t) sample; /* word_of a half for which a large page was asked; 0: none */
  _Atomic(uint32_t) offers; /* halves that came into use since there is this probe */
  _Atomic(int32_t) left;    /* requests that may still be made; below 1: none */
  _Atomic(uint32_t) trust;  /* how many requests the next look is good for; 0: LEAST_TRUST */
} evidence;
enum { LEAST_TRUST = 8, MOST_TRUST = 32 };

/* A half as one word: its address and the number of its chunk. The address is not read from the
   chunk later: the chunk may be unmapped at any time, and another thread may then write the
   descriptor. */
enum { PLACE_SHIFT = 21, PLACE_BITS = MI_ADDRESS_BITS - PLACE_SHIFT };
_Static_assert((size_t)1 << PLACE_SHIFT == MI_OS_LARGE_PAGE, "a place is a half");

static uint64_t word_of(half_t at) {
  return at.ref.chunk->number << PLACE_BITS | (uintptr_t)start_of(at) >> PLACE_SHIFT;
}

static uint8_t* place_in(uint64_t word) {
  return (uint8_t*)((word & (((uint64_t)1 << PLACE_BITS) - 1)) << PLACE_SHIFT);
}

static half_t half_in(uint64_t word) {
  size_t offset = (uintptr_t)place_in(word) % MI_CHUNK_SIZE;
  mi_slot_ref_t ref = {mi_chunk_at(word >> PLACE_BITS), (unsigned)(offset >> MI_SEGMENT_SHIFT)};
  return (half_t){ref, (unsigned)(offset >> PLACE_SHIFT) % 2};
}

typedef struct share_s {
  size_t resident;
  size_t all;
} share_t;

enum { PAGES = MI_OS_LARGE_PAGE / MI_OS_LEAST_PAGE, PER_UNIT = PAGES / MI_LARGE_PAGE_UNITS };

/* The resident share of the system pages in a half. Counts only units that are not clean, and not
   the first unit of a slot, which may be a header. The units may have been used otherwise
   meanwhile: this only looks. */
static share_t share_of(uint8_t* start, half_t at) {
  unsigned char resident[PAGES];
  share_t share = {0, 0};
  if (!mi_os_resident(start, MI_OS_LARGE_PAGE, resident)) return share;
  uint64_t clean = atomic_load_explicit(&mi_slot_state(at.ref)->clean, memory_order_relaxed) | 1;
  clean >>= at.half * MI_LARGE_PAGE_UNITS;
  for (unsigned i = 0; i < PAGES; i++) {
    if ((clean >> (i / PER_UNIT) & 1) != 0) continue;
    share.all++;
    share.resident += resident[i] & 1;
  }
  return share;
}

/* Notes what a probe showed. The more often memory was dense, the more requests the next dense
   probe is good for. */
static void note(bool is_dense) {
  uint32_t trust = atomic_load_explicit(&evidence.trust, memory_order_relaxed);
  if (trust < LEAST_TRUST || !is_dense) trust = LEAST_TRUST;
  uint32_t next = 2 * trust < MOST_TRUST ? 2 * trust : MOST_TRUST;
  atomic_store_explicit(&evidence.trust, is_dense ? next : LEAST_TRUST, memory_order_relaxed);
  atomic_store_explicit(&evidence.left, is_dense ? (int32_t)trust : 0, memory_order_relaxed);
}

/* A request that the system ignored shows in a half that is resident only in part. After several of
   these in a row the system is taken not to give large pages. */
static void look_at_sample(void) {
  enum { MOST_FAILURES = 4 };
  static _Atomic(uint32_t) failures;
  uint64_t word = atomic_exchange_explicit(&evidence.sample, 0, memory_order_relaxed);
  if (word == 0) return;
  half_t at = half_in(word);
  share_t share = share_of(place_in(word), at);
  if (share.resident == 0 || !has_bit(&mi_slot_state(at.ref)->large, at)) return;
  if (share.resident == share.all) {
    atomic_store_explicit(&failures, 0, memory_order_relaxed);
  } else if (atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed) >= MOST_FAILURES) {
    atomic_store_explicit(&system_gives, MI_LARGE_PAGES_NEVER, memory_order_relaxed);
  }
}

static void look_at_probe(void) {
  enum { LEAST_OFFERS = 4, MOST_OFFERS = 64 };
  uint32_t offers = atomic_fetch_add_explicit(&evidence.offers, 1, memory_order_relaxed);
  if (offers < LEAST_OFFERS) return;
  uint64_t word = atomic_exchange_explicit(&evidence.probe, 0, memory_order_relaxed);
  if (word == 0) return;
  half_t at = half_in(word);
  share_t share = share_of(place_in(word), at);
  if (has_bit(&mi_slot_state(at.ref)->was_large, at)) return; /* it came into use once more */
  /* A block that no thread has begun to write yet says nothing; nor does a half that was mostly
     purged. */
  if (share.resident > 0 && 2 * share.all >= PAGES) {
    note(16 * share.resident > 15 * share.all);
    look_at_sample();
  } else if (share.all > 0 && offers < MOST_OFFERS) {
    atomic_store_explicit(&evidence.probe, word, memory_order_relaxed);
  }
}

/* Makes the half the next probe, in time before the requests run out. True if it has become one: it
   is to have ordinary pages. */
static bool become_probe(half_t at) {
  enum { FEW_LEFT = 6 };
  uint64_t none = 0;
  if (atomic_load_explicit(&evidence.left, memory_order_relaxed) > FEW_LEFT) return false;
  if (atomic_load_explicit(&evidence.probe, memory_order_relaxed) != none) return false;
  atomic_store_explicit(&evidence.offers, 0, memory_order_relaxed);
  return atomic_compare_exchange_strong_explicit(&evidence.probe, &none, word_of(at),
                                                 memory_order_relaxed, memory_order_relaxed);
}

static bool may_ask(void) {
  if (atomic_load_explicit(&evidence.left, memory_order_relaxed) <= 0) return false;
  return atomic_fetch_sub_explicit(&evidence.left, 1, memory_order_relaxed) > 0;
}

/* ---- Requests ---- */

_Atomic(size_t) mi_large_pages_requests;
/* To the system each request may be a mapping, and so may what lies between two of them. A process
   has 65,530 mappings at most. */
enum { MOST_REQUESTS = 16384 };

/* Prepares the chunk for requests. It is one mapping for the system, which the system divides for
   requests and puts together again. Only parts of what was one mapping when it was first touched
   can become one again, and be moved in one piece. False if the chunk was not prepared before: then
   the half, which the caller holds, gets an ordinary page. */
static bool is_prepared(half_t at) {
  mi_chunk_t* chunk = at.ref.chunk;
  if (atomic_exchange_explicit(&chunk->has_large, true, memory_order_relaxed)) return true;
  *(volatile uint8_t*)start_of(at) = 0;
  return false;
}

static bool ask_for(half_t at) {
  mi_slot_t* slot = mi_slot_state(at.ref);
  size_t requests = atomic_load_explicit(&mi_large_pages_requests, memory_order_relaxed);
  if (requests >= MOST_REQUESTS || !is_prepared(at)) return false;
  atomic_fetch_add_explicit(&mi_large_pages_requests, 1, memory_order_relaxed);
  atomic_fetch_or_explicit(&slot->was_large, bit_of(at), memory_order_relaxed);
  atomic_fetch_or_explicit(&slot->large, bit_of(at), memory_order_relaxed);
  mi_os_prefer_large_pages(start_of(at), MI_OS_LARGE_PAGE);
  return true;
}

/* Forgets the request for the half. False if there is none. */
static bool forget(half_t at) {
  _Atomic(uint8_t)* large = &mi_slot_state(at.ref)->large;
  uint8_t before = atomic_fetch_and_explicit(large, (uint8_t)~bit_of(at), memory_order_relaxed);
  if ((before & bit_of(at)) == 0) return false;
  atomic_fetch_sub_explicit(&mi_large_pages_requests, 1, memory_order_relaxed);
  return true;
}

void mi_large_pages_take_back(mi_slot_ref_t ref, uint64_t units) {
  for (unsigned half = 0; half < 2; half++) {
    half_t at = {ref, half};
    uint64_t all = mi_large_page_units(half);
    if ((units & all) == 0 || !forget(at)) continue;
    mi_os_avoid_large_pages(start_of(at), MI_OS_LARGE_PAGE);
    if ((units & all) != all) mi_os_split_large_page(start_of(at));
  }
}

void mi_large_pages_forget(mi_slot_ref_t ref) {
  for (unsigned half = 0; half < 2; half++) (void)forget((half_t){ref, half});
  atomic_store_explicit(&mi_slot_state(ref)->was_large, 0, memory_order_relaxed);
}

void mi_large_pages_end_between(mi_slot_ref_t ref, const void* from, const void* to) {
  if (mi_arena_of(ref.chunk) != NULL)
    return; /* we ask for none in an arena, and a run may go on in its next chunk */
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

/* To be called when a half that was clean comes into use: asks for a large page there, or makes it
   the probe, or does nothing. */
static void offer(half_t at) {
  _Atomic(uint8_t)* was_large = &mi_slot_state(at.ref)->was_large;
  if (has_bit(was_large, at)) {
    atomic_fetch_and_explicit(was_large, (uint8_t)~bit_of(at), memory_order_relaxed);
  }
  if (!is_ordinary(at.ref) || !is_allowed() || !is_worth_it()) return;
  look_at_probe();
  if (become_probe(at) || !may_ask() || !ask_for(at)) return;
  atomic_store_explicit(&evidence.sample, word_of(at), memory_order_relaxed);
}

void mi_large_pages_taken_whole(mi_slot_ref_t ref, uint64_t clean) {
  for (unsigned half = 0; half < 2; half++) {
    uint64_t units = mi_large_page_units(half);
    if ((clean & units) == units) offer((half_t){ref, half});
  }
}
