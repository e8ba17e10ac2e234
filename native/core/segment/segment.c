#include "segment/segment.h"

#include <string.h>

#include "os/rare.h"
#include "segment/guard.h"
#include "segment/mark.h"
#include "segment/owner_lock.h"
#include "segment/page_key.h"
#include "segment/page_map.h"
#include "segment/pin.h"
#include "segment/place.h"
#include "segment/purge.h"
#include "segment/run.h"
#include "segment/segment_queue.h"
#include "segment/track.h"
#include "stats/stats.h"

/* ---- Shapes ---- */

/* The units that come and go with a page for blocks of this size. They never include unit 0, which
   holds the header and stays as long as the segment. */
static uint64_t units_at(unsigned index, size_t block_size) {
  return mi_bits64(index, mi_units_for(block_size)) & ~(uint64_t)1;
}

uint8_t* mi_segment_page_area(const mi_segment_t* segment, const mi_page_t* page, size_t* size) {
  unsigned index = mi_page_index(segment, page);
  size_t skip = index == 0 ? segment->header_size : 0;
  *size = ((size_t)mi_units_for(page->block_size) << MI_UNIT_SHIFT) - skip;
  return (uint8_t*)segment + ((size_t)index << segment->page_shift) + skip;
}

/* ---- Segments ---- */

void mi_segment_init_header(mi_segment_t* segment, mi_slot_ref_t ref, unsigned page_count,
                            size_t header_size, bool zero) {
  mi_os_track_open(segment, header_size);
  if (!zero) mi_segment_clear(segment);
  segment->huge = page_count == 1;
  segment->page_shift = segment->huge ? MI_SEGMENT_SHIFT : MI_UNIT_SHIFT;
  segment->chunk = ref.chunk;
  segment->slot_index = ref.chunk == NULL ? 0 : (uint8_t)ref.index;
  segment->page_count = page_count;
  segment->header_size = (uint32_t)header_size;
  segment->queue = MI_QUEUE_NONE;
  segment->cookie = mi_segment_cookie(segment);
  atomic_store_explicit(&segment->thread_id, mi_os_thread_id(), memory_order_relaxed);
}

/* Begins a segment in a slot that was taken, with the unit of the header and the units of its first
   page. `zero`: these units read as zero. */
static mi_segment_t* segment_begin(mi_segments_tld_t* tld, mi_slot_ref_t ref, bool zero) {
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  mi_segment_init_header(segment, ref, MI_UNITS_PER_SEGMENT, sizeof(mi_segment_t), zero);
  segment->cleared = zero ? ~(uint64_t)0 : 1;
  segment->first_page_zero = zero;
  mi_segment_set_lock(segment, tld->lock);
  mi_segment_go_live(ref);
  tld->count++;
  mi_stat_up(segments, 1);
  return segment;
}

/* Begins a segment in a slot whose `units`, those of its first page, are taken too. So a slot whose
   units are being purged is passed over, and does not look like the end of memory. */
static mi_segment_t* segment_alloc(mi_segments_tld_t* tld, uint64_t units, bool* zero) {
  mi_slot_ref_t ref;
  if (!mi_slot_take(tld->arena, &ref, 1 | units, zero)) return NULL;
  mi_purge_make_room(false);
  return segment_begin(tld, ref, *zero);
}

/* ---- The slot that the thread left last ----
   A thread that has another segment would touch clean memory in it, while the memory that it wrote
   before lies in a free slot. */

enum { WORTH_TAKING_BACK = 8 }; /* dirty units */

static unsigned dirty_units(mi_slot_ref_t ref) {
  return mi_popcount64(atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed));
}

static void remember_left(mi_segments_tld_t* tld, mi_slot_ref_t ref) {
  size_t number = ref.chunk->number * MI_SLOTS_PER_CHUNK + ref.index + 1;
  bool worth = dirty_units(ref) >= WORTH_TAKING_BACK && number <= UINT16_MAX &&
               mi_arena_of(ref.chunk) == NULL;
  if (worth) tld->left = (uint16_t)number;
}

/* Whether the slot that the thread left last can still be taken back; if not, it is forgotten. */
static bool has_left(mi_segments_tld_t* tld, mi_slot_ref_t* ref) {
  if (mi_likely(tld->left == 0)) return false;
  size_t number = tld->left - 1u;
  *ref = (mi_slot_ref_t){mi_chunk_at(number / MI_SLOTS_PER_CHUNK), number % MI_SLOTS_PER_CHUNK};
  uint32_t free = atomic_load_explicit(&ref->chunk->free, memory_order_relaxed);
  if ((free >> ref->index & 1) == 0 || dirty_units(*ref) < WORTH_TAKING_BACK) tld->left = 0;
  return tld->left != 0;
}

static void segment_free(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_assert(segment->used == 0 && mi_segment_pages(segment) == 0);
  mi_segment_queue_remove(tld, segment);
  tld->count--;
  mi_slot_ref_t ref = mi_segment_slot(segment);
  remember_left(tld, ref);
  mi_stat_down(segments, 1); /* a forked child counts again if it finds no cookie, or no segment */
  segment->cookie = 0;
  mi_segment_set_lock(segment, NULL);
  atomic_store_explicit(&segment->thread_id, 0, memory_order_relaxed);
  /* The caller may hold the segment as an abandoned one. Then a forked child finds the mark still
     held, or no cookie. */
  mi_mark_set(ref, NULL);
  mi_race_window();
  mi_segment_end(ref);
}

/* ---- Pages ---- */

/* Gives the units from `first` to before `end` to the page, so that it is found from an address in
   them; NULL: to none. */
static void give_units(mi_segment_t* segment, unsigned first, unsigned end, mi_page_t* page) {
  uint64_t units = mi_bits64(first, end - first);
  segment->units_used = page != NULL ? segment->units_used | units : segment->units_used & ~units;
  mi_page_map_set((uint8_t*)segment + ((size_t)first << MI_UNIT_SHIFT), end - first, page);
}

/* Sets a bit of a word that only the owner writes. Release: a thread that finds a page by its bit
   sees that its descriptor was cleared. */
static void set_bit(_Atomic(uint64_t)* word, unsigned index, bool value) {
  uint64_t bit = (uint64_t)1 << index;
  uint64_t others = atomic_load_explicit(word, memory_order_relaxed) & ~bit;
  atomic_store_explicit(word, value ? others | bit : others, memory_order_release);
}

/* Clears the descriptor of a page that is not in use any more, all but thread_free, which is empty.
   Other threads may be looking at thread_free and at the words behind it, or setting a trap. */
static void clear_descriptor(mi_page_t* page) {
  mi_assert(atomic_load_explicit(&page->thread_free, memory_order_relaxed) == 0);
  /* First the line that says whether the page is in use, for a forked child. Line by line, since
     gcc 12 turns a longer memset into a slow instruction. */
  enum { LINE = offsetof(mi_page_t, freer) };
  enum { FROM = offsetof(mi_page_t, block_size), HEAP = offsetof(mi_page_t, heap) };
  memset((uint8_t*)page + FROM, 0, HEAP - FROM);
  atomic_store_explicit(&page->freer, 0, memory_order_relaxed);
  memset(page, 0, LINE);
  atomic_store_explicit(&page->heap, NULL, memory_order_relaxed);
  atomic_store_explicit(&page->link, 0, memory_order_relaxed);
  mi_page_forget_looks(page);
  mi_page_forget_holes(page);
  atomic_store_explicit(&page->flags, MI_PAGE_UNUSED, memory_order_relaxed);
}

/* Brings a page into use that no other thread knows of yet. */
static mi_page_t* enter_page(mi_segment_t* segment, unsigned index) {
  mi_page_t* page = &segment->pages[index];
  if ((segment->cleared >> index & 1) == 0) {
    memset(page, 0, sizeof(*page));
    /* The memset comes first: a forked child may find the segment as it is here. */
    atomic_signal_fence(memory_order_release);
    segment->cleared |= (uint64_t)1 << index;
  }
  set_bit(&segment->pages_used, index, true);
  segment->used++;
  return page;
}

static void init_page(mi_segment_t* segment, mi_page_t* page, size_t block_size, bool zero) {
  mi_assert(page->block_size == 0 && page->used == 0 && page->capacity == 0 && page->free == NULL);
  atomic_store_explicit(&page->flags, 0, memory_order_relaxed);
  page->block_size = block_size;
  size_t area_size;
  uint8_t* area = mi_segment_page_area(segment, page, &area_size);
  /* Every block that is handed out as one of its class is aligned to the largest power of two that
     divides its size, so that aligned allocation need only choose the right class. */
  size_t align = mi_lowest_bit(block_size);
  page->start = (uint8_t*)mi_align_up((uintptr_t)area, align);
  size_t room = area_size - (size_t)(page->start - area);
  page->reserved = block_size > MI_MEDIUM_BLOCK_MAX ? 1 : (uint16_t)(room / block_size);
  page->memory_is_zero = zero;
#if MI_HARDENED
  page->key = mi_page_key_new();
#endif
  mi_assert((page->reserved == 1) == (block_size > MI_MEDIUM_BLOCK_MAX));
}

/* Begins the page at unit `index`, whose units are taken. `zero`: all of them read as zero, but for
   a header. */
static mi_page_t* page_begin(mi_segments_tld_t* tld, mi_segment_t* segment, unsigned index,
                             size_t block_size, bool zero) {
  if (index == 0 && !segment->first_page_zero) zero = false;
  if (index == 0) segment->first_page_zero = false;
  mi_page_t* page = enter_page(segment, index);
  if (block_size > MI_SMALL_SIZE_MAX) set_bit(&segment->coarse_pages, index, true);
  init_page(segment, page, block_size, zero);
  give_units(segment, index, index + mi_units_for(block_size), page);
  mi_segment_queue_update(tld, segment);
  return page;
}

/* The units at which a page for blocks of this size may begin if these units are used. Only a small
   page has room behind the header. */
static uint64_t places_beside(uint64_t used, size_t block_size) {
  return mi_places_for(~used & (block_size <= MI_SMALL_BLOCK_MAX ? ~(uint64_t)0 : ~(uint64_t)1),
                       block_size);
}

/* Takes the first place that fits, so that resident memory is used again, and the end of the
   segment may drain. Units that are just being purged do not fit. */
mi_page_t* mi_segment_page_alloc_in(mi_segments_tld_t* tld, mi_segment_t* segment,
                                    size_t block_size, bool only_resident) {
  mi_slot_ref_t ref = mi_segment_slot(segment);
  uint64_t places = places_beside(segment->units_used, block_size);
  if (only_resident) {
    /* The unit of the header is resident. */
    places &= atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed) | 1;
  }
  while (places != 0) {
    unsigned index = mi_ctz64(places);
    uint64_t mask = units_at(index, block_size);
    bool zero = true;
    if (mask == 0 || mi_units_take(ref, mask, &zero)) {
      return page_begin(tld, segment, index, block_size, zero);
    }
    places &= places - 1;
  }
  return NULL;
}

/* How many segments of a queue are tried for a page. A page of several units does not fit
   everywhere, and there may be many segments. */
enum { TRIES = 8 };

/* The first queue whose segments may have room for a page for blocks of this size. */
static unsigned least_queue(size_t block_size) {
  return block_size <= MI_SMALL_BLOCK_MAX ? 0 : 1 + mi_bsr64(mi_units_for(block_size));
}

mi_page_t* mi_segment_page_alloc_left(mi_segments_tld_t* tld, size_t block_size) {
  mi_slot_ref_t ref;
  bool zero, busy;
  if (!has_left(tld, &ref)) return NULL;
  uint64_t dirty = atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  uint64_t places = places_beside(0, block_size) & (dirty | 1);
  if (places == 0) return NULL;
  unsigned index = mi_ctz64(places);
  if (!mi_slot_take_this(ref, 1 | units_at(index, block_size), &zero, &busy)) return NULL;
  tld->left = 0;
  mi_slot_enter(mi_slot_start(ref), true);
  return page_begin(tld, segment_begin(tld, ref, zero), index, block_size, zero);
}

static mi_page_t* page_alloc_queued(mi_segments_tld_t* tld, size_t block_size, bool only_resident) {
  for (unsigned queue = least_queue(block_size); queue < MI_QUEUE_COUNT; queue++) {
    mi_segment_t* segment = tld->free[queue];
    for (unsigned tries = 0; segment != NULL && tries < TRIES; tries++, segment = segment->next) {
      mi_page_t* page = mi_segment_page_alloc_in(tld, segment, block_size, only_resident);
      if (page != NULL) return page;
    }
    /* The segments that were tried come last the next time. */
    if (segment != NULL && !only_resident) mi_segment_queue_rotate(tld, segment);
  }
  return NULL;
}

mi_page_t* mi_segment_page_alloc_resident(mi_segments_tld_t* tld, size_t block_size) {
  return page_alloc_queued(tld, block_size, true);
}

bool mi_segment_has_free_page(const mi_segments_tld_t* tld, size_t block_size) {
  for (unsigned queue = least_queue(block_size); queue < MI_QUEUE_COUNT; queue++) {
    const mi_segment_t* segment = tld->free[queue];
    for (unsigned tries = 0; segment != NULL && tries < TRIES; tries++, segment = segment->next) {
      if (places_beside(segment->units_used, block_size) != 0) return true;
    }
  }
  return false;
}

mi_page_t* mi_segment_page_alloc(mi_segments_tld_t* tld, size_t block_size) {
  mi_page_t* page = page_alloc_queued(tld, block_size, false);
  if (page != NULL) return page;
  unsigned index = mi_ctz64(places_beside(0, block_size));
  bool zero;
  mi_segment_t* segment = segment_alloc(tld, units_at(index, block_size), &zero);
  return segment == NULL ? NULL : page_begin(tld, segment, index, block_size, zero);
}

bool mi_segment_page_resize(mi_segments_tld_t* tld, mi_page_t* page, size_t block_size,
                            bool* zero) {
  mi_assert(page->reserved == 1 && page->capacity == 1 && block_size > MI_MEDIUM_BLOCK_MAX);
  mi_segment_t* segment = mi_segment_of(page);
  unsigned index = mi_page_index(segment, page);
  unsigned old_end = index + mi_units_for(page->block_size);
  unsigned end = index + mi_units_for(block_size);
  *zero = true;
  if (end > old_end) {
    if (end > MI_UNITS_PER_SEGMENT) return false;
    uint64_t more = mi_bits64(old_end, end - old_end);
    if ((segment->units_used & more) != 0) return false;
    if (!mi_units_take(mi_segment_slot(segment), more, zero)) return false;
    give_units(segment, old_end, end, page);
  }
  page->block_size = block_size; /* before the units are released: a forked child goes by it */
  if (end < old_end) {
    give_units(segment, end, old_end, NULL);
    mi_units_release(mi_segment_slot(segment), mi_bits64(end, old_end - end), 0);
  }
  mi_segment_queue_update(tld, segment);
  return true;
}

void mi_segment_page_free(mi_segments_tld_t* tld, mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  unsigned index = mi_page_index(segment, page);
  size_t block_size = page->block_size;
  uint64_t units = units_at(index, block_size);
  if (MI_GUARDED) mi_guard_lift_page(page);
  mi_track_end_page(page);
  /* In memory that was clean, only what was laid out has been written since. */
  size_t page_offset = (size_t)index << MI_UNIT_SHIFT;
  size_t end = (size_t)(page->start - (uint8_t*)segment) + page->capacity * page->block_size;
  unsigned written = (unsigned)((end - page_offset + MI_UNIT_SIZE - 1) >> MI_UNIT_SHIFT);
  uint64_t dirty = page->capacity == 0 ? 0 : units & mi_bits64(index, written);
  if (!page->memory_is_zero) dirty = units;
  uint64_t clean = units & ~dirty;
  clear_descriptor(page);
  give_units(segment, index, index + mi_units_for(block_size), NULL);
  set_bit(&segment->pages_used, index, false);
  if (block_size > MI_SMALL_SIZE_MAX) set_bit(&segment->coarse_pages, index, false);
  segment->used--;
  mi_units_release(mi_segment_slot(segment), dirty, clean);
  if (segment->used == 0) {
    segment_free(tld, segment);
  } else {
    mi_segment_queue_update(tld, segment);
  }
}

/* ---- Fork ---- */

void mi_segment_forget_ended_pages(mi_segment_t* segment) {
  segment->used = 0;
  segment->units_used = 0;
  segment->abandoned_pages = 0;
  segment->queue = MI_QUEUE_NONE;
  segment->next = segment->prev = NULL;
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    unsigned index = mi_ctz64(pages);
    mi_page_t* page = &segment->pages[index];
    if (page->block_size == 0) {
      clear_descriptor(page);
      set_bit(&segment->pages_used, index, false);
    } else {
      segment->units_used |= mi_bits64(index, mi_units_for(page->block_size));
      segment->used++;
    }
  }
  /* The entries of pages that have ended, or become shorter. The slot may be another segment's
     soon, and the descriptors the memory of a block. */
  for (uint64_t left = ~segment->units_used; left != 0;) {
    mi_span_t span = mi_first_span(left);
    give_units(segment, span.first, span.first + span.count, NULL);
    left &= ~mi_bits64(span.first, span.count);
  }
  /* Also of a page that the lost thread had got as far as to take out of pages_used. */
  atomic_fetch_and_explicit(&segment->coarse_pages, mi_segment_pages(segment),
                            memory_order_relaxed);
}

void mi_segment_restore_units(mi_segment_t* segment) {
  mi_slot_ref_t ref = mi_segment_slot(segment);
  if (mi_segment_is_huge(segment)) {
    mi_run_restore(ref);
  } else {
    mi_units_restore(ref, segment->units_used | 1); /* the header's */
  }
}
