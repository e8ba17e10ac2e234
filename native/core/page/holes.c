#include "page/holes.h"

#include "segment/purge.h"

_Static_assert(MI_UNIT_SIZE / (MI_SMALL_SIZE_MAX + 1) <= MI_HOLES_MOST, "small pages");

static mi_block_t* block_at(const mi_page_t* page, size_t index) {
  return (mi_block_t*)(page->start + index * page->block_size);
}

static uint64_t bit(size_t index) { return (uint64_t)1 << index; }

static bool can_have_holes(const mi_page_t* page) {
  return mi_page_is_coarse(page) && page->reserved <= MI_HOLES_MOST;
}

/* Writes the numbers of the blocks of the list, in its order, and returns how many there are. 0 if
   these and the holes are not `count` different blocks. */
static size_t
read_list(const mi_page_t* page, const mi_block_t* list, size_t count, uint8_t* numbers) {
  uint64_t found = mi_page_holes(page);
  size_t length = count - mi_popcount64(found);
  if (length > MI_HOLES_MOST) return 0;
  for (size_t i = 0; i < length; i++, list = mi_block_peek_next(page, list)) {
    if (!mi_page_begins_block(page, list, page->reserved)) return 0;
    size_t number = mi_page_block_number(page, list);
    if ((found & bit(number)) != 0) return 0;
    found |= bit(number);
    numbers[i] = (uint8_t)number;
  }
  return list == NULL ? length : 0;
}

/* Purges the system pages inside of a run of free blocks. Returns those of its blocks that begin
   there. */
static uint64_t purge_run(const mi_page_t* page, mi_span_t run) {
  uintptr_t from = (uintptr_t)block_at(page, run.first);
  uintptr_t to = (uintptr_t)block_at(page, run.first + run.count);
  from = mi_align_up(from, mi_os_page_size());
  to = mi_align_down(to, mi_os_page_size());
  if (from >= to) return 0;
  mi_purge_inside(mi_segment_slot(mi_segment_of(page)), (void*)from, (void*)to);
  uint64_t holes = 0;
  for (unsigned i = run.first; i < run.first + run.count; i++) {
    uintptr_t start = (uintptr_t)block_at(page, i);
    if (start >= from && start < to) holes |= bit(i);
  }
  return holes;
}

/* Purges inside of the runs of these free blocks in which some are `fresh`: the others were purged
   before. Returns which blocks are holes then. */
static uint64_t purge_runs(const mi_page_t* page, uint64_t blocks, uint64_t fresh) {
  uint64_t holes = mi_page_holes(page);
  while (blocks != 0) {
    mi_span_t run = mi_first_span(blocks);
    uint64_t bits = mi_bits64(run.first, run.count);
    if ((bits & fresh) != 0) holes |= purge_run(page, run);
    blocks &= ~bits;
  }
  return holes;
}

bool mi_page_list_is_sound(const mi_page_t* page, const mi_block_t* list, size_t count) {
  uint8_t numbers[MI_HOLES_MOST];
  return read_list(page, list, count, numbers) > 0;
}

mi_block_t* mi_page_make_holes(mi_page_t* page, mi_block_t* list, size_t count) {
  uint8_t numbers[MI_HOLES_MOST];
  /* Asked again: the page may be another one than that which was found worth it. */
  if (!can_have_holes(page)) return list;
  size_t length = read_list(page, list, count, numbers);
  if (length == 0) {
    /* The program has broken the list, or the owner is about to fill the holes of the one before.
       The page is not looked at again before there is more on it. */
    atomic_store_explicit(&page->purged, (uint8_t)count, memory_order_relaxed);
    return list;
  }
  /* Of the list itself: holes are older than all of it. */
  size_t before = count - length;
  size_t purged = atomic_load_explicit(&page->purged, memory_order_relaxed);
  size_t purged_here = purged > before ? purged - before : 0;
  uint64_t blocks = mi_page_holes(page), fresh = 0;
  /* But for the first block, whose link must stay. */
  for (size_t i = 1; i < length; i++) {
    blocks |= bit(numbers[i]);
    if (length - i > purged_here) fresh |= bit(numbers[i]);
  }
  uint64_t holes = purge_runs(page, blocks, fresh);
  atomic_store_explicit(&page->purged, (uint8_t)count, memory_order_relaxed);
  mi_purge_inside(mi_segment_slot(mi_segment_of(page)), list + 1,
                  (uint8_t*)list + page->block_size);
  if (holes == mi_page_holes(page)) return list;
  mi_block_t* left = NULL;
  for (size_t i = length; i-- > 0;) {
    if ((holes & bit(numbers[i])) != 0) continue;
    mi_block_t* block = block_at(page, numbers[i]);
    mi_block_set_next(page, block, left);
    left = block;
  }
  /* Release: pairs with the acquire in add_others (heap/visit.c). Who sees the new holes sees the
     links around them, too; so it does not follow an old link into what was purged. */
  atomic_store_explicit(&page->holes, holes, memory_order_release);
  return left;
}

mi_block_t* mi_page_fill_holes_slow(mi_page_t* page, mi_block_t* list, size_t count) {
  mi_block_t* last = NULL;
  size_t length = 0;
  for (mi_block_t* block = list; mi_page_contains(page, block) && length < count; length++) {
    last = block;
    block = mi_block_peek_next(page, block);
  }
  /* Else they belong to a list that was begun since, or the program has broken this one. */
  if (last == NULL || length + mi_page_hole_count(page) != count) return list;
  for (uint64_t holes = mi_page_holes(page); holes != 0; holes &= holes - 1) {
    mi_block_t* block = block_at(page, mi_ctz64(holes));
    mi_block_set_next(page, last, block);
    last = block;
  }
  mi_block_set_next(page, last, NULL);
  mi_page_forget_holes(page);
  return list;
}
