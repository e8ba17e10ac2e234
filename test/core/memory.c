#include "memory.h"

#include "check.h"
#include "heap/heap.h"
#include "os/os.h"
#include "segment/abandoned.h"
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

void heaps_check(void) {
  if (!mi_heap_is_initialized(mi_heap_default)) return;
  for (mi_heap_t* heap = mi_heap_default->tld->heaps; heap != NULL; heap = heap->next) {
    CHECK(mi_heap_is_valid(heap));
  }
}

typedef struct found_s {
  int64_t segments;
  int64_t abandoned;
  int64_t committed_units;
  int64_t huge; /* of the bytes in huge blocks, those in arenas */
} found_t;

/* Returns the units that the segment and its pages use. */
static uint64_t check_segment(mi_segment_t* segment, bool abandoned) {
  unsigned units_per_page = MI_UNITS_PER_SEGMENT / segment->page_count;
  CHECK(segment->cookie == mi_segment_cookie(segment));
  CHECK_EQ(mi_popcount64(segment->pages_used), segment->used);
  CHECK_CMP(segment->used, >, 0);
  CHECK_EQ(segment->abandoned_pages, 0);
  CHECK_EQ(mi_segment_owner(segment) == 0, abandoned);
  CHECK_EQ(segment->in_free_queue,
           !abandoned && segment->kind <= MI_PAGE_MEDIUM && segment->used < segment->page_count);
  uint64_t units = 1;
  for (unsigned i = 0; i < segment->page_count; i++) {
    mi_page_t* page = &segment->pages[i];
    bool used = (segment->pages_used >> i & 1) != 0;
    CHECK_EQ(page->block_size != 0, used);
    if (!used) continue;
    units |= mi_bits64(i * units_per_page, units_per_page);
    CHECK_EQ(atomic_load(&page->heap) == NULL, abandoned);
    CHECK(mi_page_is_valid(page));
    if (abandoned) CHECK_EQ(mi_tf_state(atomic_load(&page->thread_free)), MI_TF_NORMAL);
  }
  return units;
}

/* `inside`: of a huge block that starts in another slot. */
static void check_slot(mi_chunk_t* chunk, unsigned index, bool inside, found_t* found) {
  mi_slot_ref_t ref = {chunk, index};
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t dirty = atomic_load(&slot->dirty);
  uint64_t clean = atomic_load(&slot->clean);
  uint64_t used = 0;
  bool is_free = (atomic_load(&chunk->free) >> index & 1) != 0;
  bool abandoned = (atomic_load(&chunk->abandoned) >> index & 1) != 0;
  CHECK_EQ(dirty & clean, 0);
  if (inside) {
    CHECK(!is_free && !abandoned);
    used = ~(uint64_t)0;
  } else if (!is_free && ((mi_segment_t*)mi_slot_start(ref))->huge_size != 0) {
    mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
    CHECK(!abandoned);
    CHECK(segment->cookie == mi_segment_cookie(segment));
    CHECK(segment->chunk == chunk && segment->slot_index == index);
    found->huge += (int64_t)segment->pages[0].block_size;
    used = ~(uint64_t)0;
  } else if (!is_free) {
    used = check_segment((mi_segment_t*)mi_slot_start(ref), abandoned);
    found->segments++;
    found->abandoned += abandoned;
  } else {
    CHECK(!abandoned);
  }
  CHECK_EQ(used | dirty | clean, ~(uint64_t)0);
  CHECK_EQ(used & (dirty | clean), 0);
  found->committed_units += 64 - mi_popcount64(clean);
}

void memory_check(void) {
  found_t found = {0};
  const uint8_t* huge = NULL; /* the last huge block's slots */
  const uint8_t* huge_end = NULL;
  for (size_t i = 0; i < mi_chunk_count(); i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    for (unsigned index = 0; index < chunk->slot_count; index++) {
      uint8_t* start = mi_slot_start((mi_slot_ref_t){chunk, index});
      bool inside = start > huge && start < huge_end;
      check_slot(chunk, index, inside, &found);
      if (inside || (atomic_load(&chunk->free) >> index & 1) != 0) continue;
      huge = start;
      huge_end = start + ((mi_segment_t*)start)->huge_size;
    }
  }
  memory_t gauges = memory_gauges();
  CHECK_EQ(found.segments, gauges.segments);
  CHECK_EQ(found.abandoned, gauges.abandoned);
  CHECK_EQ(found.abandoned, (int64_t)mi_abandoned_total());
  /* Besides, the mappings of huge blocks are committed. */
  int64_t in_mappings = gauges.huge - found.huge;
  CHECK_CMP(gauges.committed, >=, found.committed_units * (int64_t)MI_UNIT_SIZE + in_mappings);
  if (in_mappings == 0 && mi_option_get(mi_option_purge_delay) == 0) {
    CHECK_EQ(gauges.committed, found.committed_units * (int64_t)MI_UNIT_SIZE);
  }
  heaps_check();
}
