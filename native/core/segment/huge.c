#include "segment/huge.h"

#include <string.h>

#include "os/rare.h"
#include "segment/arena.h"
#include "segment/clear.h"
#include "segment/guard.h"
#include "segment/huge_cache.h"
#include "segment/large_pages.h"
#include "segment/memory.h"
#include "segment/page_key.h"
#include "segment/pin.h"
#include "segment/purge.h"
#include "segment/run.h"
#include "segment/track.h"
#include "stats/stats.h"

/* The layout of a huge segment: the header at a segment boundary, then the block, at most one
   segment size (and a page) further on. */

static size_t header_size(void) {
  return mi_align_up(offsetof(mi_segment_t, pages) + sizeof(mi_page_t), mi_os_page_size());
}

size_t mi_huge_good_size(size_t size) { return mi_align_up(size, mi_os_page_size()); }

/* The offset of the block from a base that is a multiple of `align`. */
static size_t block_offset(size_t align, size_t offset) {
  return mi_align_up(header_size() + offset, align) - offset;
}

/* Maps `total` bytes at a multiple of `align`, unmaps the first `unused` of them, and returns the
   rest. With MI_MAP_RESERVED the unused bytes may be more than there is memory; that needs a system
   that lets us change access to memory. */
static uint8_t* map_part(size_t total, size_t align, size_t unused, mi_map_t kind) {
  uint8_t* base = mi_memory_map_for_blocks(total, align, kind);
  if (base == NULL) return NULL;
  if (unused > 0) mi_memory_unmap(base, unused);
  base += unused;
  if (kind != MI_MAP_RESERVED || mi_os_protect(base, total - unused, MI_ACCESS_WRITE)) return base;
  mi_memory_unmap(base, total - unused);
  return NULL;
}

/* Maps memory for a block of `size`. *start is the offset of the block in the mapping. */
static mi_mapping_t map_block(size_t size, size_t align, size_t offset, size_t* start) {
  /* The base will be a multiple of `align` if that is at most a segment, and else of a segment, so
     the block's place is known before the base. */
  *start = block_offset(align, offset & (align - 1));
  size_t total = mi_huge_good_size(*start + size);
  if (align < MI_SEGMENT_SIZE) align = MI_SEGMENT_SIZE;
  /* Whole segment sizes before the block are of no use. */
  size_t unused = mi_align_down(*start - header_size(), MI_SEGMENT_SIZE);
  uint8_t* base = NULL;
  if (align > MI_SEGMENT_SIZE) base = map_part(total, align, unused, MI_MAP_RESERVED);
  if (base == NULL) base = map_part(total, align, unused, MI_MAP_MEMORY);
  if (base == NULL) return (mi_mapping_t){NULL, 0};
  *start -= unused;
  mi_stat_up(committed, total - unused);
  mi_stat_count(commit_calls, 1);
  return (mi_mapping_t){base, total - unused};
}

/* The place for a segment: a mapping, or slots. */
typedef struct placement_s {
  mi_mapping_t mapping;
  size_t start;       /* where the block begins in the mapping */
  size_t written;     /* bytes of the mapping, from its start, that may not read as zero */
  mi_slot_ref_t slot; /* the first slot; chunk NULL: a mapping */
} placement_t;

static size_t units_of(size_t size) { return (size + MI_UNIT_SIZE - 1) >> MI_UNIT_SHIFT; }

static bool
take_run(placement_t* place, mi_arena_t* arena, size_t size, size_t align, size_t offset) {
  if (align >= MI_SEGMENT_SIZE) return false;
  place->start = block_offset(align, offset & (align - 1));
  bool zero;
  if (!mi_run_take(arena, units_of(place->start + size), &place->slot, &zero)) return false;
  place->mapping.start = mi_slot_start(place->slot);
  place->mapping.size = mi_run_size(place->slot);
  place->written = zero ? 0 : place->mapping.size;
  return true;
}

/* Has the block lie in a mapping. */
static bool enter_mapping(placement_t* place, mi_mapping_t mapping, size_t written) {
  if (mapping.start == NULL) return false;
  if (mi_os_commit(mapping.start, mapping.size) &&
      mi_segment_table_prepare(mapping.start, mapping.size)) {
    place->slot.chunk = NULL;
    place->mapping = mapping;
    place->written = written;
    return true;
  }
  mi_mapping_unmap(mapping);
  return false;
}

static bool take_mapping(placement_t* place, size_t size, size_t align, size_t offset) {
  return enter_mapping(place, map_block(size, align, offset, &place->start), 0);
}

/* Takes a mapping that was freed a moment ago, or the front of it. One that is too short is made
   longer: beside new memory it would add to what the program needs, and the new memory would have
   to be brought in page by page. */
static bool take_kept(placement_t* place, size_t size, size_t align, size_t offset) {
  if (align > MI_SEGMENT_SIZE) { /* none has the place for it, and the new one comes instead */
    bool may_purge = mi_option_get(mi_option_purge_delay) >= 0;
    if (may_purge) mi_huge_cache_drop(&(mi_purge_budget_t){units_of(size)});
    return false;
  }
  place->start = block_offset(align, offset & (align - 1));
  size_t total = mi_huge_good_size(place->start + size);
  mi_mapping_t kept = mi_huge_cache_take(total);
  if (kept.start == NULL) return false;
  size_t written = kept.size;
  if (kept.size < total || mi_mapping_is_too_long(kept.size, total)) {
    kept = mi_mapping_refit(kept, total);
  }
  /* The program may have left a part of it without access. */
  if (kept.start != NULL && !mi_os_protect(kept.start, kept.size, MI_ACCESS_WRITE)) {
    mi_mapping_unmap(kept);
    return false;
  }
  return enter_mapping(place, kept, written < kept.size ? written : kept.size);
}

/* A run comes first, if it is long enough: there memory is used again by blocks of any size. */
static bool
take_place(placement_t* place, mi_arena_t* arena, size_t size, size_t align, size_t offset) {
  if (arena != NULL) return take_run(place, arena, size, align, offset);
  size_t total = block_offset(align, offset & (align - 1)) + size;
  bool run_first = units_of(total) <= MI_RUN_UNITS_MAX;
  return (!run_first && take_kept(place, size, align, offset)) ||
         take_run(place, NULL, size, align, offset) ||
         (run_first && take_kept(place, size, align, offset)) ||
         take_mapping(place, size, align, offset);
}

mi_page_t* mi_huge_page_alloc(mi_arena_t* arena, size_t size, size_t align, size_t offset) {
  placement_t place;
  if (size == 0) size = 1;
  /* So that no sum below can overflow. */
  if (size > MI_MAX_ALLOC_SIZE || align > ((size_t)1 << MI_ADDRESS_BITS) ||
      !take_place(&place, arena, size, align, offset)) {
    return NULL;
  }
  mi_purge_make_room(true);
  mi_segment_t* segment = (mi_segment_t*)place.mapping.start;
  mi_segment_init_header(segment, place.slot, 1, header_size(), place.written == 0);
  segment->used = 1;
  segment->huge_size = place.mapping.size;
  segment->huge_written = place.written;
  atomic_store_explicit(&segment->pages_used, 1, memory_order_relaxed);
  atomic_store_explicit(&segment->coarse_pages, 1, memory_order_relaxed);
  mi_page_t* page = &segment->pages[0];
  /* A block begins on a multiple of MI_MAX_ALIGN, since lists use its low bits; for an odd `offset`
     the address that the caller gets is a little further on. Both lie in the same 4 MiB, so either
     finds the segment; only not in tracking builds. */
  size_t start = mi_align_down(place.start, MI_MAX_ALIGN);
  page->start = place.mapping.start + start;
  page->block_size = mi_huge_good_size(place.start + size) - start;
  page->reserved = 1;
  page->memory_is_zero = place.written == 0;
#if MI_HARDENED
  page->key = mi_page_key_new();
#endif
  /* After the header, which a thread that pins the segment reads. */
  if (segment->chunk == NULL) {
    size_t inside = place.start + (MI_TRACK ? MI_TRACK_GAP : 0); /* what the caller gets */
    mi_segment_table_add(place.mapping.start + inside, segment, place.mapping.size);
  } else {
    mi_segment_go_live(place.slot);
  }
  mi_stat_up(malloc_huge, page->block_size);
  mi_stat_count(malloc_huge_count, 1);
  return page;
}

size_t mi_huge_page_clear(mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  mi_chunk_t* chunk = segment->chunk;
  uint8_t* start = page->start;
  uint8_t* end = (uint8_t*)segment + segment->huge_written;
  if (end > start + page->block_size) end = start + page->block_size;
  if (end <= start) return 0;
  bool stays = chunk != NULL && (chunk->resident || chunk->foreign);
  if (stays || mi_option_get(mi_option_purge_delay) < 0) return (size_t)(end - start);
  uint8_t* from = (uint8_t*)mi_align_up((uintptr_t)start, mi_os_page_size());
  uint8_t* to = (uint8_t*)mi_align_down((uintptr_t)end, mi_os_page_size());
  mi_assert(from <= to); /* what was written ends with a system page, as the block does */
  mi_clear_used((mi_slot_ref_t){chunk, segment->slot_index}, from, to);
  memset(to, 0, (size_t)(end - to));
  return (size_t)(from - start);
}

void mi_huge_page_free(mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  mi_mapping_t mapping = {(uint8_t*)segment, segment->huge_size};
  mi_slot_ref_t slot = {segment->chunk, segment->slot_index};
  if (MI_GUARDED) mi_guard_lift_page(page);
  mi_track_end_page(page);
  segment->cookie = 0;
  mi_stat_down(malloc_huge, page->block_size);
  atomic_store_explicit(&segment->thread_id, 0, memory_order_relaxed);
  if (slot.chunk != NULL) {
    mi_segment_end(slot);
  } else if (mi_segment_table_remove(mapping.start, mapping.size)) {
    mi_huge_cache_put(mapping);
  }
}

void mi_huge_unpin(mi_segment_t* segment, size_t place) {
  mi_mapping_t mapping = {(uint8_t*)segment, segment->huge_size};
  if (!mi_segment_table_unpin(place)) mi_huge_cache_put(mapping);
}

void mi_huge_page_purge(mi_page_t* page) {
  /* The system page that holds the first word stays as a whole; so does the header. */
  uint8_t* end = page->start + page->block_size;
  mi_memory_purge_inside(page->start + sizeof(mi_block_t), end);
}

/* Completes a segment that was moved to `target`, and adds it to the segment table. */
static void settle_at(mi_segment_t* target, size_t start, size_t total) {
  target->pages[0].start = (uint8_t*)target + start;
  target->cookie = mi_segment_cookie(target);
  target->huge_size = total;
  mi_segment_table_add(target->pages[0].start, target, total);
}

/* Moves a segment in a run of slots to a mapping of its own. `total`, the size of the mapping, is
   above that of the run. */
static mi_segment_t* move_out(mi_segment_t* segment, size_t total) {
  mi_slot_ref_t slot = mi_segment_slot(segment);
  size_t start = (size_t)(segment->pages[0].start - (uint8_t*)segment);
  size_t size = segment->huge_size;
  if (mi_arena_of(slot.chunk) != NULL || slot.chunk->resident) return NULL;
  uint8_t* target = mi_memory_map_for_blocks(total, MI_SEGMENT_SIZE, MI_MAP_MEMORY);
  if (target == NULL) return NULL;
  mi_large_pages_end_between(slot, segment, (uint8_t*)segment + size);
  if (!mi_segment_table_prepare(target, total) || !mi_os_move_contents(segment, size, target)) {
    mi_memory_unmap(target, total);
    return NULL;
  }
  /* To the system, the moved pages and the memory behind them are two mappings, which could not be
     moved together later. Growing the first makes them one. */
  mi_memory_unmap(target + size, total - size);
  if (!mi_os_resize(target, size, total)) { /* another thread has mapped something there */
    memcpy(segment, target, size);
    mi_memory_unmap(target, size);
    return NULL;
  }
  mi_stat_up(reserved, total - size);
  mi_stat_up(committed, total);
  mi_stat_count(commit_calls, 1);
  ((mi_segment_t*)target)->chunk = NULL;
  ((mi_segment_t*)target)->slot_index = 0;
  settle_at((mi_segment_t*)target, start, total);
  mi_race_window();
  mi_run_moved(slot);
  mi_segment_end(slot);
  return (mi_segment_t*)target;
}

/* Moves the pages of a segment in a mapping to another mapping, of `total` bytes. */
static mi_segment_t* move(mi_segment_t* segment, size_t total) {
  uint8_t* block = segment->pages[0].start;
  size_t start = (size_t)(block - (uint8_t*)segment);
  size_t old_total = segment->huge_size;
  mi_segment_t* target = mi_memory_map_for_blocks(total, MI_SEGMENT_SIZE, MI_MAP_MEMORY);
  if (target == NULL) return NULL;
  /* The block may be missing from the table for a while, since no other thread looks for it. It
     leaves the table before the move, since right afterwards the old address may be another
     segment's. */
  if (mi_segment_table_prepare(target, total) && mi_segment_table_try_remove(block)) {
    mi_segment_table_remove(segment, old_total);
    if (mi_os_move(segment, old_total, target, total)) {
      settle_at(target, start, total);
      return target;
    }
    mi_segment_table_add(block, segment, old_total); /* cannot fail: the table has room */
  }
  mi_memory_unmap(target, total);
  return NULL;
}

/* Clears what the block gained. Bytes of the old mapping behind the block may have old contents.
   What lies beyond `mapped` bytes from the block's start was mapped now, and so is zero. */
static void clear_gain(mi_page_t* page, size_t old_size, size_t mapped) {
  size_t end = page->block_size < mapped ? page->block_size : mapped;
  if (end > old_size) memset(page->start + old_size, 0, end - old_size);
}

/* Changes the size of the mapping without moving it. */
static bool resize_in_place(mi_segment_t* segment, size_t total) {
  uint8_t* block = segment->pages[0].start;
  size_t old_total = segment->huge_size;
  size_t kept = mi_align_up(total, MI_SEGMENT_SIZE);
  if (!mi_segment_table_try_remove(block)) return false;
  /* The bytes that are given up leave the table first: another thread may map them at once. The
     bytes that are added enter it only when they are ours. */
  if (kept < old_total) mi_segment_table_remove((uint8_t*)segment + kept, old_total - kept);
  bool done = mi_os_resize(segment, old_total, total);
  /* Only after the resize, so that the table does not grow for sizes that the system refuses. */
  if (done && total > old_total && !mi_segment_table_prepare(segment, total)) {
    mi_os_unmap((uint8_t*)segment + old_total, total - old_total);
    done = false;
  }
  if (done) segment->huge_size = total; /* before it is in the table, where a visitor may pin it */
  mi_segment_table_add(block, segment, segment->huge_size);
  return done;
}

/* Changes the size of the mapping. Returns where the segment is then; NULL if that is
   impossible. */
static mi_segment_t* resize_mapping(mi_segment_t* segment, size_t total) {
  size_t old_total = segment->huge_size;
  if (mi_option_is_enabled(mi_option_disallow_os_alloc)) return NULL;
  if (resize_in_place(segment, total)) {
    mi_stat_up(reserved, total - old_total);
  } else {
    segment = move(segment, total);
    if (segment == NULL) return NULL;
    mi_stat_down(reserved, old_total);
  }
  mi_stat_up(committed, total - old_total);
  mi_stat_count(commit_calls, 1);
  return segment;
}

/* Changes how much memory the segment has, and returns where it is then; NULL if that is
   impossible. *mapped: in so many bytes of it, those that were not in use may not be zero. */
static mi_segment_t* resize(mi_segment_t* segment, size_t total, size_t* mapped) {
  *mapped = segment->huge_size;
  if (segment->chunk != NULL) {
    mi_slot_ref_t slot = mi_segment_slot(segment);
    bool gain_is_zero;
    if (mi_run_resize(slot, units_of(total), &gain_is_zero)) {
      if (!gain_is_zero) *mapped = SIZE_MAX;
      segment->huge_size = mi_run_size(slot);
      return segment;
    }
    return total > *mapped ? move_out(segment, total) : NULL;
  }
  if (total <= *mapped && !mi_mapping_is_too_long(*mapped, total)) return segment;
  return resize_mapping(segment, total);
}

mi_page_t* mi_huge_page_resize(mi_page_t* page, size_t size, bool zero) {
  mi_segment_t* segment = mi_segment_of(page);
  size_t start = (size_t)(page->start - (uint8_t*)segment);
  size_t total = mi_huge_good_size(start + size);
  size_t old_block_size = page->block_size;
  size_t mapped;
  segment = resize(segment, total, &mapped);
  if (segment == NULL) return NULL;
  mi_purge_make_room(true);
  page = &segment->pages[0];
  page->block_size = total - start;
  if (zero) clear_gain(page, old_block_size, mapped == SIZE_MAX ? mapped : mapped - start);
  mi_stat_up(malloc_huge, page->block_size);
  mi_stat_down(malloc_huge, old_block_size);
  return page;
}

void mi_huge_for_each(void (*fn)(mi_segment_t* segment, void* arg), void* arg) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    bool is_run = mi_slot_state(walk.slot)->run_units != 0;
    if (is_run) fn((mi_segment_t*)mi_slot_start(walk.slot), arg);
  }
  mi_segment_table_for_each(fn, arg);
}
