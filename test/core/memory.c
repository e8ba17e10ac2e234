#include "memory.h"

#include "check.h"
#include "heap/communal.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "os/os.h"
#include "page/page.h"
#include "segment/abandoned.h"
#include "segment/arena.h"
#include "segment/huge_cache.h"
#include "segment/map.h"
#include "segment/other_threads.h"
#include "segment/page_map.h"
#include "segment/pin.h"
#include "segment/place.h"
#include "segment/segment.h"
#include "segment/subproc.h"
#include "stats/stats.h"

memory_t memory_gauges(void) {
  return (memory_t){
      .reserved = atomic_load(&mi_process_stats.reserved.current),
      .committed = atomic_load(&mi_process_stats.committed.current),
      .segments = atomic_load(&mi_process_stats.segments.current),
      .huge = atomic_load(&mi_process_stats.malloc_huge.current),
      .abandoned = atomic_load(&mi_process_stats.segments_abandoned.current),
      .threads = atomic_load(&mi_process_stats.threads.current),
  };
}

size_t memory_resident(void) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  return info.rss;
}

/* Counts a segment at its first page, so once in all heaps of the thread. Checks that the heap may
   use its memory. */
static void count_segments(mi_heap_t* heap, mi_page_t* page, void* arg) {
  mi_segment_t* segment = mi_segment_of(page);
  if (mi_segment_is_huge(segment)) return;
  CHECK(mi_arena_admits(segment->chunk, heap->segments->arena));
  if (mi_page_index(segment, page) == mi_ctz64(mi_segment_pages(segment))) ++*(size_t*)arg;
}

/* Checks one queue of segments. Whether a segment must be in a queue is checked by
   check_segment. */
static void check_segment_queue(mi_segment_t* first, int room) {
  const mi_segment_t* last = NULL;
  for (mi_segment_t* segment = first; segment != NULL; segment = segment->next) {
    if (segment != first) CHECK_PTR(segment->prev, ==, last);
    CHECK(segment->cookie == mi_segment_cookie(segment) && mi_segment_is_mine(segment));
    CHECK_EQ(segment->queue, room);
    last = segment;
  }
  if (first != NULL) CHECK_PTR(first->prev, ==, last);
}

/* `count`: the segments that the heaps with this mi_segments_tld_t have. */
static void check_segments(const mi_segments_tld_t* tld, size_t count) {
  CHECK_EQ(tld->count, count);
  for (int room = 0; room < MI_QUEUE_COUNT; room++) check_segment_queue(tld->free[room], room);
}

void heaps_check(void) {
  if (!mi_heap_is_initialized(mi_heap_default)) return;
  mi_tld_t* tld = mi_heap_default->tld;
  size_t shared = 0;
  for (mi_heap_t* heap = tld->heaps; heap != NULL; heap = heap->next) {
    CHECK(mi_heap_is_valid(heap));
    size_t count = 0;
    mi_heap_for_each_page(heap, MI_PAGE_QUEUES, count_segments, &count);
    if (mi_heap_is_restricted(heap)) {
      check_segments(heap->segments, count);
    } else {
      shared += count;
    }
  }
  check_segments(&tld->segments, shared);
}

/* What memory_check found. */
typedef struct found_s {
  int64_t segments;
  int64_t abandoned;
  int64_t abandoned_by_first;
  size_t communal;
  int64_t committed;
  int64_t huge;
} found_t;

/* Checks a segment that is not huge. Returns the units that its header and its pages use. */
static uint64_t check_segment(mi_segment_t* segment, bool abandoned) {
  CHECK(segment->cookie == mi_segment_cookie(segment));
  CHECK_EQ(mi_popcount64(mi_segment_pages(segment)), segment->used);
  CHECK_CMP(segment->used, >, 0);
  CHECK_EQ(segment->abandoned_pages, 0);
  CHECK_EQ(mi_segment_owner(segment) == 0, abandoned);
  bool room = segment->units_used != ~(uint64_t)0;
  bool orphan = mi_segment_owner(segment) == MI_ORPHAN; /* nobody allocates there */
  CHECK_EQ(segment->queue != MI_QUEUE_NONE, !orphan && !abandoned && room);
  uint64_t units = 0;
  for (unsigned i = 0; i < segment->page_count; i++) {
    mi_page_t* page = &segment->pages[i];
    bool used = (mi_segment_pages(segment) >> i & 1) != 0;
    if (used || (segment->cleared >> i & 1) != 0) CHECK_EQ(page->block_size != 0, used);
    CHECK_EQ(mi_segment_page_is_coarse(segment, page),
             used && page->block_size > MI_SMALL_SIZE_MAX);
    if (!used) continue;
    size_t size;
    uint8_t* area = mi_segment_page_area(segment, page, &size);
    size_t end = (size_t)(area + size - (uint8_t*)segment);
    unsigned count = (unsigned)(end >> MI_UNIT_SHIFT) - i;
    CHECK_EQ(end % MI_UNIT_SIZE, 0);
    units |= mi_bits64(i, count);
    for (unsigned k = 0; k < count; k++) {
      CHECK_PTR(mi_segment_page_of(segment, (uint8_t*)segment + (i + k) * MI_UNIT_SIZE), ==, page);
    }
    CHECK_EQ(atomic_load(&page->heap) == NULL, abandoned);
    CHECK(mi_page_is_valid(page));
    if (abandoned) CHECK_EQ(mi_tf_state(atomic_load(&page->thread_free)), MI_TF_NORMAL);
  }
  CHECK_EQ(units, segment->units_used);
  if (!orphan && !abandoned && room)
    CHECK_EQ(segment->queue, 1 + mi_longest_span(~units & ~(uint64_t)1));
  return units | 1;
}

/* Checks that the page map has the page for these units of a slot; NULL: none. */
static void check_page_map(mi_slot_ref_t ref, uint64_t units, const mi_page_t* page) {
  const mi_page_t* expected = page != NULL ? page : (const mi_page_t*)mi_page_map;
  for (; units != 0; units &= units - 1) {
    const uint8_t* unit = mi_slot_start(ref) + ((size_t)mi_ctz64(units) << MI_UNIT_SHIFT);
    const mi_page_t* found = mi_page_map_find(unit);
    if (found != NULL) CHECK_PTR(found, ==, expected);
  }
}

/* Returns how many pages are in the slot. */
static unsigned check_pages(mi_slot_ref_t ref) {
  mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
  if (!mi_segment_is_live(ref) || mi_segment_is_huge(segment)) {
    check_page_map(ref, ~(uint64_t)0, NULL);
    return 0;
  }
  uint64_t pages = mi_segment_pages(segment);
  for (uint64_t left = pages; left != 0; left &= left - 1) {
    const mi_page_t* page = &segment->pages[mi_ctz64(left)];
    check_page_map(ref, mi_bits64(mi_ctz64(left), mi_units_for(page->block_size)), page);
  }
  check_page_map(ref, ~segment->units_used, NULL);
  return mi_popcount64(pages);
}

void memory_check_pages(void) {
  mi_stats_t stats;
  mi_stats_get(sizeof(stats), &stats);
  int64_t pages = 0;
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (walk.slot.index < walk.slot.chunk->slot_count) pages += check_pages(walk.slot);
  }
  CHECK_EQ(stats.pages.current, pages);
}

/* The units of a slot that are below `end`. */
static uint64_t units_below(mi_slot_ref_t ref, const uint8_t* end) {
  size_t bytes = (size_t)(end - mi_slot_start(ref));
  return bytes >= MI_SEGMENT_SIZE ? ~(uint64_t)0 : mi_bits64(0, (unsigned)(bytes / MI_UNIT_SIZE));
}

/* Checks a slot. `inside`: it belongs to a huge segment that starts in another slot and ends at
   `huge_end`. */
static void check_slot(mi_chunk_t* chunk, unsigned index, bool inside, const uint8_t* huge_end,
                       found_t* found) {
  mi_slot_ref_t ref = {chunk, index};
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t dirty = atomic_load(&slot->dirty);
  uint64_t clean = atomic_load(&slot->clean);
  uint64_t used = 0;
  bool is_free = (atomic_load(&chunk->free) >> index & 1) != 0;
  const mi_subproc_t* subproc = atomic_load(&chunk->abandoned[index]);
  bool abandoned = subproc != NULL;
  CHECK_EQ(dirty & clean, 0);
  if (inside) {
    CHECK(!is_free && !abandoned);
    CHECK_EQ(slot->run_units, 0);
    used = units_below(ref, huge_end);
  } else if (!is_free && ((mi_segment_t*)mi_slot_start(ref))->huge_size != 0) {
    mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
    CHECK(!abandoned);
    CHECK(segment->cookie == mi_segment_cookie(segment));
    CHECK(segment->chunk == chunk && segment->slot_index == index);
    CHECK_EQ(segment->huge_size, (size_t)slot->run_units << MI_UNIT_SHIFT);
    found->huge += (int64_t)segment->pages[0].block_size;
    used = units_below(ref, (uint8_t*)segment + segment->huge_size);
  } else if (!is_free) {
    used = check_segment((mi_segment_t*)mi_slot_start(ref), abandoned);
    found->segments++;
    bool communal = subproc == &mi_subproc_communal;
    CHECK_EQ(mi_segment_is_communal((mi_segment_t*)mi_slot_start(ref)), communal);
    found->communal += communal;
    found->abandoned += abandoned && !communal;
    found->abandoned_by_first += subproc == &mi_subproc_first;
  } else {
    CHECK(!abandoned);
  }
  CHECK_EQ(used | dirty | clean, ~(uint64_t)0);
  CHECK_EQ(used & (dirty | clean), 0);
  found->committed += (64 - mi_popcount64(clean)) * (int64_t)MI_UNIT_SIZE;
}

/* Checks an entry of the segment table: a huge segment in a mapping of its own, or a slot of a
   chunk that is not whole. */
static void check_table_entry(mi_segment_t* segment, void* arg) {
  found_t* found = arg;
  for (size_t i = 0; i < mi_chunk_count(); i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    size_t inside = (size_t)((uint8_t*)segment - chunk->start);
    if (chunk->start == NULL || inside >= (size_t)chunk->slot_count << MI_SEGMENT_SHIFT) continue;
    CHECK_CMP(chunk->slot_count, <, MI_SLOTS_PER_CHUNK);
    return;
  }
  mi_page_t* page = &segment->pages[0];
  CHECK(mi_segment_is_huge(segment));
  CHECK(segment->cookie == mi_segment_cookie(segment));
  CHECK_EQ(segment->used, 1);
  CHECK_EQ(mi_segment_pages(segment), 1);
  CHECK(segment->chunk == NULL && segment->queue == MI_QUEUE_NONE);
  CHECK(mi_is_aligned(segment, MI_SEGMENT_SIZE) && !mi_is_in_chunk(segment));
  CHECK_PTR(mi_segment_table_find(page->start), ==, segment);
  CHECK_PTR(page->start, >, (uint8_t*)segment + sizeof(mi_page_t));
  CHECK_PTR(page->start + page->block_size, <=, (uint8_t*)segment + segment->huge_size);
  CHECK_EQ(page->bin, MI_BIN_HUGE);
  CHECK_EQ(page->reserved, 1);
  CHECK(mi_page_is_valid(page));
  bool unowned = mi_tf_state(atomic_load(&page->thread_free)) == MI_TF_UNOWNED;
  CHECK_EQ(mi_segment_owner(segment) == 0, unowned);
  CHECK_EQ(atomic_load(&page->heap) == NULL, unowned);
  found->huge += (int64_t)page->block_size;
  found->committed += (int64_t)segment->huge_size;
}

/* Checks a descriptor: the chunk map has its chunk if that is whole, and a vacant one has no
   slots. */
static void check_chunk(mi_chunk_t* chunk, size_t number) {
  if (atomic_load(&chunk->vacant)) {
    CHECK_PTR(chunk->start, ==, NULL);
    CHECK_EQ(chunk->slot_count, 0);
    CHECK_EQ(atomic_load(&chunk->free), 0);
  } else {
    CHECK_EQ(chunk->number, number);
    CHECK(chunk->slot_count >= 1 && chunk->slot_count <= MI_SLOTS_PER_CHUNK);
    bool whole = chunk->slot_count == MI_SLOTS_PER_CHUNK;
    CHECK(mi_is_aligned(chunk->start, whole ? MI_CHUNK_SIZE : MI_SEGMENT_SIZE));
    CHECK_EQ(mi_is_in_chunk(chunk->start), whole);
    CHECK(!whole || !mi_segment_table_covers(chunk->start));
  }
  CHECK_EQ(atomic_load(&chunk->free) >> chunk->slot_count, 0);
  for (unsigned index = chunk->slot_count; index < MI_SLOTS_PER_CHUNK; index++) {
    CHECK_PTR(atomic_load(&chunk->abandoned[index]), ==, NULL);
  }
  for (unsigned i = chunk->slot_count; i < MI_SLOTS_PER_CHUNK; i++) {
    CHECK_EQ(atomic_load(&chunk->slots[i].dirty) | atomic_load(&chunk->slots[i].clean), 0);
  }
}

/* Checks that the chunk map has as many entries as there are whole chunks. The map is 8 MiB, so
   only one call in 64 does. */
static void check_chunk_map(void) {
  static _Atomic(unsigned) calls;
  if (atomic_fetch_add(&calls, 1) % 64 != 0) return;
  size_t whole = 0;
  size_t mapped = 0;
  for (size_t i = 0; i < mi_chunk_count(); i++)
    whole += mi_chunk_at(i)->slot_count == MI_SLOTS_PER_CHUNK;
  for (size_t i = 0; i < MI_CHUNK_MAP_SIZE / sizeof(uint64_t); i++) {
    uint64_t eight;
    memcpy(&eight, (const uint8_t*)mi_chunk_map + i * sizeof(eight), sizeof(eight));
    for (; eight != 0; eight &= eight - 1) mapped++;
  }
  CHECK_EQ(mapped, whole);
}

void collect_page(mi_page_t* page) {
  mi_owner_lock_t* lock = mi_heap_get()->segments->lock;
  mi_owner_enter(lock);
  mi_page_free_collect(page);
  mi_owner_leave(lock);
}

size_t memory_communal(void) { return atomic_load(&mi_subproc_communal.abandoned); }

void memory_check(void) {
  found_t found = {0};
  const uint8_t* huge = NULL; /* the last segment seen, and the end of its run if it is huge */
  const uint8_t* huge_end = NULL;
  for (size_t i = 0; i < mi_chunk_count(); i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    check_chunk(chunk, i);
    for (unsigned index = 0; index < chunk->slot_count; index++) {
      uint8_t* start = mi_slot_start((mi_slot_ref_t){chunk, index});
      bool inside = start > huge && start < huge_end;
      check_slot(chunk, index, inside, huge_end, &found);
      if (inside || (atomic_load(&chunk->free) >> index & 1) != 0) continue;
      huge = start;
      huge_end = start + ((mi_segment_t*)start)->huge_size;
    }
  }
  check_chunk_map();
  memory_t gauges = memory_gauges();
  CHECK_EQ(found.segments, gauges.segments);
  CHECK_EQ(found.communal, memory_communal());
  CHECK_EQ(found.abandoned, gauges.abandoned);
  if (found.abandoned_by_first == found.abandoned) {
    CHECK_EQ(found.abandoned, (int64_t)mi_abandoned_total());
  }
  mi_segment_table_for_each(check_table_entry, &found);
  CHECK_EQ(found.huge, gauges.huge);
  CHECK_EQ(found.committed + (int64_t)mi_huge_cache_size(), gauges.committed);
  heaps_check();
}
