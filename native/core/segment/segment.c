#include "segment/segment.h"

#include <string.h>

#include "segment/guard.h"
#include "segment/page_map.h"
#include "segment/pin.h"
#include "segment/run.h"
#include "segment/track.h"
#include "stats/stats.h"

/* ---- Shapes ---- */

static mi_page_kind_t kind_of(size_t block_size) {
  if (block_size <= MI_SMALL_BLOCK_MAX) return MI_PAGE_SMALL;
  return block_size <= MI_MEDIUM_BLOCK_MAX ? MI_PAGE_MEDIUM : MI_PAGE_LARGE;
}

static unsigned units_for(size_t block_size) {
  size_t size = block_size <= MI_SMALL_BLOCK_MAX    ? MI_UNIT_SIZE
                : block_size <= MI_MEDIUM_BLOCK_MAX ? MI_MEDIUM_BLOCKS * block_size
                                                    : block_size;
  return (unsigned)((size + MI_UNIT_SIZE - 1) >> MI_UNIT_SHIFT);
}

/* The units that come and go with a page for such blocks. Unit 0 holds the header and stays as long as
   the segment. */
static uint64_t units_at(unsigned index, size_t block_size) {
  return mi_bits64(index, units_for(block_size)) & ~(uint64_t)1;
}

uint8_t* mi_segment_page_area(const mi_segment_t* segment, const mi_page_t* page, size_t* size) {
  unsigned index = mi_page_index(segment, page);
  size_t skip = index == 0 ? segment->header_size : 0;
  *size = ((size_t)units_for(page->block_size) << MI_UNIT_SHIFT) - skip;
  return (uint8_t*)segment + ((size_t)index << segment->page_shift) + skip;
}

static uintptr_t process_secret(void) {
  static _Atomic(uintptr_t) secret;
  uintptr_t value = atomic_load_explicit(&secret, memory_order_relaxed);
  if (mi_unlikely(value == 0)) {
    uintptr_t fresh = mi_os_random() | 1;
    /* The first one to store wins, so that all see the same. */
    if (atomic_compare_exchange_strong_explicit(&secret, &value, fresh, memory_order_relaxed,
                                                memory_order_relaxed)) {
      value = fresh;
    }
  }
  return value;
}

uintptr_t mi_segment_cookie(const mi_segment_t* segment) {
  return (uintptr_t)segment ^ process_secret();
}

/* ---- The owner's queues of segments with free pages ---- */

static mi_segment_queue_t* queue_of(mi_segments_tld_t* tld, const mi_segment_t* segment) {
  mi_assert(segment->kind <= MI_PAGE_LARGE);
  return &tld->free[segment->kind];
}

static bool has_room(const mi_segment_t* segment) {
  if (segment->kind == MI_PAGE_SMALL) return segment->used < segment->page_count;
  uint64_t free = ~segment->units_used;
  return (free & free >> 1) != 0; /* a medium or large page has two units at least */
}

void mi_segment_queue_add(mi_segments_tld_t* tld, mi_segment_t* segment) {
  if (segment->in_free_queue || !has_room(segment)) return;
  mi_segment_queue_t* queue = queue_of(tld, segment);
  segment->in_free_queue = true;
  segment->next = NULL;
  segment->prev = queue->last;
  if (queue->last != NULL) {
    queue->last->next = segment;
  } else {
    queue->first = segment;
  }
  queue->last = segment;
}

void mi_segment_queue_remove(mi_segments_tld_t* tld, mi_segment_t* segment) {
  if (!segment->in_free_queue) return;
  mi_segment_queue_t* queue = queue_of(tld, segment);
  if (segment->prev != NULL) {
    segment->prev->next = segment->next;
  } else {
    queue->first = segment->next;
  }
  if (segment->next != NULL) {
    segment->next->prev = segment->prev;
  } else {
    queue->last = segment->prev;
  }
  segment->next = segment->prev = NULL;
  segment->in_free_queue = false;
}

/* ---- Segments ---- */

/* A segment with `units`, those of its first page, taken too: a slot whose units are being purged is
   passed over, and does not look like the end of memory. */
static mi_segment_t*
segment_alloc(mi_segments_tld_t* tld, mi_page_kind_t kind, uint64_t units, bool* zero_units) {
  mi_slot_ref_t ref;
  bool zero;
  if (!mi_slot_take(tld->arena, &ref, 1 | units, &zero)) return NULL;
  *zero_units = zero;
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  unsigned page_count = MI_UNITS_PER_SEGMENT;
  size_t header_size = offsetof(mi_segment_t, pages) + page_count * sizeof(mi_page_t);
  mi_os_track_open(segment, header_size);
  /* thread_id last and apart: a stale pointer may be looked up here by another thread at any
     time. */
  if (!zero) {
    size_t first = offsetof(mi_segment_t, page_shift);
    memset((uint8_t*)segment + first, 0, header_size - first);
  }
  segment->page_shift = MI_UNIT_SHIFT;
  segment->kind = (uint8_t)kind;
  segment->slot_index = (uint8_t)ref.index;
  segment->page_count = page_count;
  segment->header_size = (uint32_t)header_size;
  segment->chunk = ref.chunk;
  segment->cookie = mi_segment_cookie(segment);
  segment->first_page_zero = zero;
  segment->units_used = 1;
  atomic_store_explicit(&segment->thread_id, mi_os_thread_id(), memory_order_relaxed);
  mi_segment_go_live(ref);
  mi_segment_queue_add(tld, segment);
  tld->count++;
  mi_stat_up(segments, 1);
  return segment;
}

static void segment_free(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_assert(segment->used == 0 && segment->pages_used == 0);
  mi_segment_queue_remove(tld, segment);
  tld->count--;
  mi_slot_ref_t ref = mi_segment_slot(segment);
  segment->cookie = 0;
  atomic_store_explicit(&segment->thread_id, 0, memory_order_relaxed);
  mi_segment_end(ref);
  mi_stat_down(segments, 1);
}

/* ---- Pages ---- */

/* Has the page found by way of its units, or not any more. */
static void
enter_page(const mi_segment_t* segment, unsigned index, size_t block_size, mi_page_t* page) {
  mi_page_map_set((const uint8_t*)segment + ((size_t)index << segment->page_shift),
                  units_for(block_size), page);
}

/* Takes the unit of one unused small page: one with resident memory, or any. Returns its index, or page_count
   if there is none, but for those that are just being purged. */
static unsigned
take_page_units(mi_segment_t* segment, size_t block_size, bool only_dirty, bool* zero) {
  mi_slot_ref_t ref = mi_segment_slot(segment);
  uint64_t dirty = atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  uint64_t unused = ~segment->pages_used & mi_bits64(0, segment->page_count);
  while (unused != 0) {
    unsigned index = mi_ctz64(unused);
    uint64_t mask = units_at(index, block_size);
    unused &= unused - 1;
    /* Page 0 begins in the header's unit, which is resident. */
    if (only_dirty && index != 0 && (dirty & mask) == 0) continue;
    *zero = true;
    if (mask == 0 || mi_units_take(ref, mask, zero)) return index;
  }
  return segment->page_count;
}

/* Every block is aligned to the largest power of two that divides its size. */
static unsigned unit_alignment(size_t block_size) {
  size_t align = mi_lowest_bit(block_size) >> MI_UNIT_SHIFT;
  return align == 0 ? 1 : (unsigned)align;
}

/* Where a medium or large page for such blocks may begin. */
static uint64_t places_for(const mi_segment_t* segment, size_t block_size) {
  uint64_t places = ~segment->units_used;
  for (unsigned i = 1; i < units_for(block_size); i++) places &= places >> 1;
  static const uint64_t aligned[] = {
      ~(uint64_t)0,       0x5555555555555555, 0x1111111111111111,
      0x0101010101010101, 0x0001000100010001, 0x0000000100000001,
  };
  return places & aligned[mi_ctz64(unit_alignment(block_size))];
}

/* All but thread_free, which is empty and which others may be looking at, as at the words behind it. */
static void clear_descriptor(mi_page_t* page) {
  mi_assert(atomic_load_explicit(&page->thread_free, memory_order_relaxed) == 0);
  enum { FIRST = offsetof(mi_page_t, freer), HEAP = offsetof(mi_page_t, heap) };
  enum { OWNERS = offsetof(mi_page_t, free) };
  memset((uint8_t*)page + FIRST, 0, HEAP - FIRST);
  atomic_store_explicit(&page->heap, NULL, memory_order_relaxed);
  atomic_store_explicit(&page->link, 0, memory_order_relaxed);
  atomic_store_explicit(&page->purged, NULL, memory_order_relaxed);
  memset((uint8_t*)page + OWNERS, 0, sizeof(*page) - OWNERS);
}

static void init_page(mi_segment_t* segment, mi_page_t* page, size_t block_size, bool zero) {
  clear_descriptor(page);
  page->block_size = block_size;
  size_t area_size;
  uint8_t* area = mi_segment_page_area(segment, page, &area_size);
  /* Every block of a class is aligned to the largest power of two that divides its size, so that
     aligned allocation need only choose the right class. */
  size_t align = mi_lowest_bit(block_size);
  page->start = (uint8_t*)mi_align_up((uintptr_t)area, align);
  page->reserved = (uint16_t)((area_size - (size_t)(page->start - area)) / block_size);
  page->memory_is_zero = zero;
#if MI_HARDENED
  page->key = mi_os_random();
#endif
  mi_assert(page->reserved > 0);
}

/* The units of the page are taken; `zero`: all of them read as zero, but for a header. */
static mi_page_t* page_begin(mi_segments_tld_t* tld, mi_segment_t* segment, unsigned index,
                             size_t block_size, bool zero) {
  if (index == 0 && !segment->first_page_zero) zero = false;
  if (index == 0) segment->first_page_zero = false;
  segment->pages_used |= (uint64_t)1 << index;
  segment->used++;
  if (segment->kind != MI_PAGE_SMALL) {
    segment->units_used |= units_at(index, block_size);
    for (unsigned i = 1; i < units_for(block_size); i++)
      segment->pages[index + i].back = (uint8_t)i;
  }
  if (!has_room(segment)) mi_segment_queue_remove(tld, segment);
  mi_page_t* page = &segment->pages[index];
  init_page(segment, page, block_size, zero);
  enter_page(segment, index, block_size, page);
  return page;
}

static mi_page_t*
page_alloc_in(mi_segments_tld_t* tld, mi_segment_t* segment, size_t block_size, bool only_dirty) {
  bool zero;
  if (segment->kind == MI_PAGE_SMALL) {
    unsigned index = take_page_units(segment, block_size, only_dirty, &zero);
    if (index == segment->page_count) return NULL;
    return page_begin(tld, segment, index, block_size, zero);
  }
  mi_slot_ref_t ref = mi_segment_slot(segment);
  uint64_t dirty = atomic_load_explicit(&mi_slot_state(ref)->dirty, memory_order_relaxed);
  for (uint64_t places = places_for(segment, block_size); places != 0; places &= places - 1) {
    unsigned index = mi_ctz64(places);
    uint64_t mask = units_at(index, block_size);
    if (only_dirty && (dirty & mask) == 0) continue;
    if (mi_units_take(ref, mask, &zero)) return page_begin(tld, segment, index, block_size, zero);
  }
  return NULL;
}

/* Segments in which a page is looked for before there is another one; those beyond the first few come last the
   next time. */
enum { FIRST_TRIES = 8, MOST_TRIES = 32 };

/* A page in which memory is resident already, small or medium. */
static mi_page_t* page_alloc_dirty(mi_segments_tld_t* tld, size_t block_size) {
  unsigned tries = 0;
  mi_segment_t* segment = tld->free[kind_of(block_size)].first;
  for (; segment != NULL && tries < FIRST_TRIES; segment = segment->next, tries++) {
    mi_page_t* page = page_alloc_in(tld, segment, block_size, true);
    if (page != NULL) return page;
  }
  return NULL;
}

bool mi_segment_has_free_page(const mi_segments_tld_t* tld, size_t block_size) {
  mi_page_kind_t kind = kind_of(block_size);
  const mi_segment_t* segment = tld->free[kind].first;
  if (kind == MI_PAGE_SMALL) return segment != NULL;
  for (unsigned tries = 0; segment != NULL && tries < FIRST_TRIES;
       segment = segment->next, tries++) {
    if (places_for(segment, block_size) != 0) return true;
  }
  return false;
}

mi_page_t* mi_segment_page_alloc(mi_segments_tld_t* tld, size_t block_size) {
  mi_page_kind_t kind = kind_of(block_size);
  if (kind != MI_PAGE_LARGE) {
    mi_page_t* page = page_alloc_dirty(tld, block_size);
    if (page != NULL) return page;
  }
  mi_segment_t* next;
  unsigned tries = 0;
  for (mi_segment_t* segment = tld->free[kind].first; segment != NULL; segment = next) {
    mi_page_t* page = page_alloc_in(tld, segment, block_size, false);
    if (page != NULL) return page;
    next = segment->next;
    /* Longer pages do not fit everywhere, and there may be many such segments. */
    if (++tries == MOST_TRIES) break;
    if (tries > FIRST_TRIES) {
      mi_segment_queue_remove(tld, segment);
      mi_segment_queue_add(tld, segment);
    }
  }
  /* Of a medium or large segment, unit 0 is the header's alone. */
  unsigned index = kind != MI_PAGE_SMALL ? unit_alignment(block_size) : 0;
  bool zero;
  mi_segment_t* segment = segment_alloc(tld, kind, units_at(index, block_size), &zero);
  return segment == NULL ? NULL : page_begin(tld, segment, index, block_size, zero);
}

void mi_segment_page_free(mi_segments_tld_t* tld, mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  unsigned index = mi_page_index(segment, page);
  size_t block_size = page->block_size;
  uint64_t units = units_at(index, block_size);
  if (MI_GUARDED) mi_guard_lift_page(page);
  mi_track_end_page(page);
  /* Of memory that was clean, only what was laid out has been written since. */
  size_t page_offset = (size_t)index << MI_UNIT_SHIFT;
  size_t end = (size_t)(page->start - (uint8_t*)segment) + page->capacity * page->block_size;
  unsigned written = (unsigned)((end - page_offset + MI_UNIT_SIZE - 1) >> MI_UNIT_SHIFT);
  uint64_t dirty = page->capacity == 0 ? 0 : units & mi_bits64(index, written);
  if (!page->memory_is_zero) dirty = units;
  uint64_t clean = units & ~dirty;
  clear_descriptor(page);
  atomic_store_explicit(&page->flags, MI_PAGE_UNUSED, memory_order_relaxed);
  enter_page(segment, index, block_size, NULL);
  segment->pages_used &= ~((uint64_t)1 << index);
  segment->units_used &= ~units | 1;
  segment->used--;
  mi_units_release(mi_segment_slot(segment), dirty, clean);
  if (segment->used == 0) {
    segment_free(tld, segment);
  } else {
    mi_segment_queue_add(tld, segment);
  }
}

void mi_segment_restore_units(mi_segment_t* segment) {
  mi_slot_ref_t ref = mi_segment_slot(segment);
  if (mi_segment_is_huge(segment)) {
    mi_run_restore(ref);
    return;
  }
  uint64_t used = 1;
  for (uint64_t pages = segment->pages_used; pages != 0; pages &= pages - 1) {
    unsigned index = mi_ctz64(pages);
    used |= units_at(index, segment->pages[index].block_size);
  }
  mi_units_restore(ref, used);
}
