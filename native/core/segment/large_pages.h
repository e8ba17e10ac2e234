/* Large pages of the system (2 MiB), where it gives them on request and ordinary ones are dear: in some virtual
   machines a fault costs 10 us and more, and in a large page a fiftieth of that for each 4 KiB.

   A large page is resident as a whole. So one is asked for only in the inside of huge blocks, and only while blocks that
   were allocated a little earlier, in ordinary pages, turned out to be written all over. Before any part of it is purged
   the request is taken back, or the system would fill it up again some time.

   There are two in a slot, its halves. Each one may be large that was clean when all of it was taken. Of one that was
   large since, units that are given back are dirty, whether they were written or not. */
#ifndef MI_LARGE_PAGES_H
#define MI_LARGE_PAGES_H

#include "bits.h"
#include "os/os.h"
#include "segment/slot_ref.h"
#include "stats/stats.h"

enum { MI_LARGE_PAGE_UNITS = MI_OS_LARGE_PAGE >> MI_UNIT_SHIFT };
_Static_assert(2 * MI_LARGE_PAGE_UNITS == MI_UNITS_PER_SEGMENT, "a slot has two halves");

mi_inline uint64_t mi_large_page_units(unsigned half) {
  return mi_bits64(half * MI_LARGE_PAGE_UNITS, MI_LARGE_PAGE_UNITS);
}

/* Requests of this process. Only tests look at it from outside. */
extern mi_hidden _Atomic(size_t) mi_large_pages_requests;

/* Any thread may call all of these. */

/* The caller has taken these units, which were clean, for one block, and nobody has touched them yet. */
void mi_large_pages_taken_whole(mi_slot_ref_t ref, uint64_t clean);
mi_inline void mi_large_pages_taken(mi_slot_ref_t ref, uint64_t clean) {
  uint64_t last = mi_large_page_units(1);
  uint64_t first = mi_large_page_units(0);
  bool some = (clean & last) == last || (clean & first) == first;
  if (mi_unlikely(some)) mi_large_pages_taken_whole(ref, clean);
}

mi_inline uint64_t mi_large_pages_in(const _Atomic(uint8_t)* halves, uint64_t units) {
  uint8_t bits = atomic_load_explicit(halves, memory_order_relaxed);
  if (mi_likely(bits == 0)) return 0;
  uint64_t first = (bits & 1) != 0 ? mi_large_page_units(0) : 0;
  return units & ((bits & 2) != 0 ? first | mi_large_page_units(1) : first);
}

/* Those of these units that lie in halves for which a large page is asked; or was, so that they may be resident. */
mi_inline uint64_t mi_large_pages_among(mi_slot_ref_t ref, uint64_t units) {
  return mi_large_pages_in(&mi_slot_state(ref)->large, units);
}
mi_inline uint64_t mi_large_pages_resident(mi_slot_ref_t ref, uint64_t units) {
  return mi_large_pages_in(&mi_slot_state(ref)->was_large, units);
}

/* Something in these units is to be purged, or moved elsewhere. Also for the helper thread. */
mi_noinline void mi_large_pages_take_back(mi_slot_ref_t ref, uint64_t units);
mi_inline void mi_large_pages_end(mi_slot_ref_t ref, uint64_t units) {
  uint64_t large = mi_large_pages_among(ref, units);
  if (mi_unlikely(large != 0)) mi_large_pages_take_back(ref, large);
}

/* The slot is not there any more. */
mi_cold void mi_large_pages_forget(mi_slot_ref_t ref);

/* The same as mi_large_pages_end for what lies between two addresses in a slot, or in a run of slots that begins there. */
void mi_large_pages_end_between(mi_slot_ref_t ref, const void* from, const void* to);

#endif
