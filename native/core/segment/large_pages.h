/* Large pages of the system (2 MiB), where it would make them everywhere; or where it gives them on
   request, and ordinary ones are dear: in some virtual machines a fault costs 10 us and more, and
   in a large page a fiftieth of that for each 4 KiB. Chunks have no others
   (mi_memory_choose_pages).

   A large page is resident as a whole. So we ask for one only inside of blocks of 2 MiB and more,
   and only while such blocks that were allocated a little earlier, in ordinary pages, turned out to
   be written all over. Before any part of a large page is purged the request is taken back, or the
   system would fill the page up again some time.

   A slot has two halves, and each can be a large page. We ask for one only when all units of a half
   are taken at once and all were clean. Until that happens again, units that are given back from
   the half count as dirty, whether they were written or not.

   Any thread may call all of these functions. */
#ifndef MI_LARGE_PAGES_H
#define MI_LARGE_PAGES_H

#include "bits.h"
#include "os/os.h"
#include "segment/slot_ref.h"

enum { MI_LARGE_PAGE_UNITS = MI_OS_LARGE_PAGE >> MI_UNIT_SHIFT };
_Static_assert(2 * MI_LARGE_PAGE_UNITS == MI_UNITS_PER_SEGMENT, "a slot has two halves");

mi_inline uint64_t mi_large_page_units(unsigned half) {
  return mi_bits64(half * MI_LARGE_PAGE_UNITS, MI_LARGE_PAGE_UNITS);
}

/* Requests of this process that were not taken back. Outside of large_pages.c only tests read
   it. */
extern mi_hidden _Atomic(size_t) mi_large_pages_requests;

/* To be called when the caller has taken these units for one block, they were clean, and no thread
   has touched them yet. */
void mi_large_pages_taken_whole(mi_slot_ref_t ref, uint64_t clean);
mi_inline void mi_large_pages_taken(mi_slot_ref_t ref, uint64_t clean) {
  uint64_t last = mi_large_page_units(1);
  uint64_t first = mi_large_page_units(0);
  bool some = (clean & last) == last || (clean & first) == first;
  if (mi_unlikely(some)) mi_large_pages_taken_whole(ref, clean);
}

/* The part of `units` that lies in halves whose bits are set in *halves. */
mi_inline uint64_t mi_large_pages_in(const _Atomic(uint8_t)* halves, uint64_t units) {
  uint8_t bits = atomic_load_explicit(halves, memory_order_relaxed);
  if (mi_likely(bits == 0)) return 0;
  uint64_t first = (bits & 1) != 0 ? mi_large_page_units(0) : 0;
  return units & ((bits & 2) != 0 ? first | mi_large_page_units(1) : first);
}

/* The part of `units` that lies in halves for which a large page is asked now. */
mi_inline uint64_t mi_large_pages_among(mi_slot_ref_t ref, uint64_t units) {
  return mi_large_pages_in(&mi_slot_state(ref)->large, units);
}

/* The part of `units` that lies in halves for which a large page was asked since the half was last
   taken clean as a whole: these units may be resident. */
mi_inline uint64_t mi_large_pages_resident(mi_slot_ref_t ref, uint64_t units) {
  return mi_large_pages_in(&mi_slot_state(ref)->was_large, units);
}

/* Takes back the requests for the halves in which these units lie. To be called before something in
   them is purged or moved elsewhere. The helper thread may call it too. */
mi_noinline void mi_large_pages_take_back(mi_slot_ref_t ref, uint64_t units);
mi_inline void mi_large_pages_end(mi_slot_ref_t ref, uint64_t units) {
  uint64_t large = mi_large_pages_among(ref, units);
  if (mi_unlikely(large != 0)) mi_large_pages_take_back(ref, large);
}

/* Forgets the requests in a slot that is about to be unmapped. */
mi_cold void mi_large_pages_forget(mi_slot_ref_t ref);

/* Like mi_large_pages_end, but for the units between two addresses in a slot, or in the run of
   slots that begins there. */
void mi_large_pages_end_between(mi_slot_ref_t ref, const void* from, const void* to);

#endif
