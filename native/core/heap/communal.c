#include "heap/communal.h"

#include "heap/communal_room.h"
#include "heap/reclaim.h"
#include "os/rare.h"
#include "page/page.h"
#include "segment/abandoned.h"
#include "segment/mark.h"
#include "segment/pin.h"
#include "segment/segment_queue.h"
#include "stats/stats.h"

/* ---- Whether communal pages are in use ---- */

/* How many frees of other threads' large blocks must be seen before communal pages come into use.
   Where threads hardly free each other's large blocks, each is better off with its own pages. */
enum { ENOUGH = 32 };
static _Atomic(unsigned) learned;

void mi_communal_note_foreign_free(void) {
  if (atomic_load_explicit(&learned, memory_order_relaxed) < ENOUGH) {
    atomic_fetch_add_explicit(&learned, 1, memory_order_relaxed);
  }
}

static bool has_begun(void) {
  return atomic_load_explicit(&learned, memory_order_relaxed) >= ENOUGH ||
         mi_rare(mi_rare_communal);
}

bool mi_communal_serves_heap(const mi_heap_t* heap) {
  /* With the option visit_abandoned, a program wants to see all that ended threads left: it would
     not see communal pages. */
  return mi_unlikely(has_begun()) && !MI_GUARDED && heap == &heap->tld->backing &&
         mi_subproc_of(heap->segments) == &mi_subproc_first &&
         !mi_option_is_enabled(mi_option_visit_abandoned);
}

/* ---- Pages ---- */

/* The thread's id in communal pages. Unlike the address of a heap, none is given out twice. */
static uintptr_t id_of(mi_tld_t* tld) {
  static _Atomic(uintptr_t) last;
  if (tld->communal_id == 0) {
    tld->communal_id = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
  }
  return tld->communal_id;
}

/* Fills in the descriptor of a page that was just taken. To be called before other threads can hold
   the segment. */
static void begin(mi_page_t* page, mi_heap_t* heap, unsigned bin) {
  page->bin = (uint8_t)bin;
  page->tag = heap->tag;
  page->communal_id = id_of(heap->tld);
  atomic_store_explicit(&page->link, 1, memory_order_relaxed);
}

static void free_pages(mi_slot_ref_t slot, uint64_t pages) {
  mi_heap_free_abandoned_pages(&mi_subproc_communal, slot, pages);
  mi_communal_note_room(slot);
}

/* Lets go of the segment, and then gives back the pages that other threads could not give back
   while it was held. */
static void let_go(mi_slot_ref_t slot) {
  bool missed = mi_abandoned_let_go(&mi_subproc_communal, slot);
  mi_communal_note_room(slot);
  if (missed) free_pages(slot, ~(uint64_t)0);
}

static mi_page_t* take_from(mi_segments_tld_t* tld, mi_segment_t* segment, mi_heap_t* heap,
                            unsigned bin, bool resident) {
  mi_page_t* page = mi_segment_page_alloc_in(tld, segment, mi_bin_block_size(bin), resident);
  if (page != NULL) begin(page, heap, bin);
  mi_segment_queue_remove(tld, segment);
  mi_race_window();
  let_go(mi_segment_slot(segment));
  return page;
}

static mi_page_t* take_new(mi_segments_tld_t* tld, mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = mi_segment_page_alloc(tld, mi_bin_block_size(bin));
  if (page == NULL) return NULL;
  mi_segment_t* segment = mi_segment_of(page);
  begin(page, heap, bin);
  segment->abandoned_pages = segment->used;
  mi_segment_queue_remove(tld, segment);
  mi_slot_ref_t slot = mi_segment_slot(segment);
  mi_segment_abandon(tld, segment); /* nobody else knows a block in it */
  mi_communal_note_room(slot);
  return page;
}

/* A page in any communal segment that has room, or NULL. Sets *busy if another thread held one. */
static mi_page_t* take_anywhere(mi_segments_tld_t* tld, mi_heap_t* heap, unsigned bin, bool* busy) {
  mi_page_t* page = NULL;
  for (mi_slot_walk_t walk = mi_walk_slots(); page == NULL && mi_next_slot(&walk);) {
    if (mi_mark_subproc(mi_mark_peek(walk.slot)) != &mi_subproc_communal) continue;
    if (mi_mark_take(walk.slot, &mi_subproc_communal)) {
      page = take_from(tld, (mi_segment_t*)mi_slot_start(walk.slot), heap, bin, false);
    } else {
      *busy = true;
    }
  }
  return page;
}

/* For when memory is exhausted: waits for segments that other threads hold. Not for ever, since our
   caller may be a signal handler that has interrupted the holder. */
static mi_page_t* take_at_last(mi_segments_tld_t* tld, mi_heap_t* heap, unsigned bin) {
  enum { ROUNDS = 300 };
  mi_page_t* page = NULL;
  bool busy = true;
  for (unsigned round = 0; page == NULL && busy && round < ROUNDS; round++) {
    if (round > 0) mi_os_yield(round);
    busy = false;
    page = take_anywhere(tld, heap, bin, &busy);
  }
  return page;
}

/* Prefers room where memory is resident, then any other room, then a new segment. */
static mi_page_t* take_page(mi_heap_t* heap, unsigned bin) {
  mi_segments_tld_t tld = {.subproc = &mi_subproc_communal};
  for (int resident = 1; resident >= 0; resident--) {
    mi_segment_t* segment = mi_communal_hold_for(bin, resident);
    if (segment == NULL) continue;
    mi_page_t* page = take_from(&tld, segment, heap, bin, resident);
    if (page != NULL) return page;
  }
  mi_page_t* page = take_new(&tld, heap, bin);
  return page != NULL ? page : take_at_last(&tld, heap, bin);
}

mi_page_t* mi_communal_page_alloc(mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = take_page(heap, bin);
  if (page == NULL) return NULL;
  if (MI_TRACK) mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  mi_stat_up(pages, 1); /* not in the thread's statistics: another thread may free the page */
  return page;
}

void mi_communal_page_free(mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  mi_slot_ref_t slot = mi_segment_slot(segment);
  unsigned index = mi_page_index(segment, page);
  /* Release: pairs with the acquire in mi_page_abandoned_has_come_back. The thread that gives the
     page back, which may be another one that looks at all pages, does so after our last use of the
     block. */
  if (mi_unlikely(atomic_exchange_explicit(&page->link, 0, memory_order_release) == 0)) {
    mi_misuse(EAGAIN, "free: %p was freed before\n", (void*)page->start);
    return;
  }
  mi_race_window();
  free_pages(slot, (uint64_t)1 << index);
}

/* Whether the page is in use and its block was not freed. The caller holds the segment. */
static bool lives(mi_segment_t* segment, unsigned index) {
  return (mi_segment_pages(segment) >> index & 1) != 0 &&
         !mi_page_abandoned_has_come_back(&segment->pages[index]);
}

bool mi_communal_page_resize(mi_page_t* page, unsigned bin, bool* zero) {
  mi_segments_tld_t tld = {.subproc = &mi_subproc_communal};
  mi_segment_t* segment = mi_segment_of(page);
  mi_slot_ref_t slot = mi_segment_slot(segment);
  if (mi_abandoned_hold(&mi_subproc_communal, slot) == NULL) return false;
  /* The block lives, unless another thread frees it at this moment, which is misuse. */
  bool done = lives(segment, mi_page_index(segment, page)) &&
              mi_segment_page_resize(&tld, page, mi_bin_block_size(bin), zero);
  if (done) page->bin = (uint8_t)bin;
  mi_segment_queue_remove(&tld, segment);
  let_go(slot);
  return done;
}

/* ---- The communal pages of a heap ---- */

static bool is_of(const mi_page_t* page, const mi_heap_t* heap) {
  return heap == &heap->tld->backing && page->communal_id == heap->tld->communal_id;
}

bool mi_heap_has_page(const mi_heap_t* heap, const mi_page_t* page) {
  return atomic_load_explicit(&page->heap, memory_order_relaxed) == heap ||
         (mi_segment_is_communal(mi_segment_of(page)) && is_of(page, heap));
}

static bool has_any(const mi_heap_t* heap) {
  return heap == &heap->tld->backing && heap->tld->communal_id != 0;
}

static bool lives_in(const mi_heap_t* heap, mi_segment_t* segment, unsigned index) {
  return lives(segment, index) && is_of(&segment->pages[index], heap);
}

bool mi_communal_is_alive(const mi_heap_t* heap, const mi_communal_block_t* block) {
  mi_segment_t* segment = mi_abandoned_hold_patiently(&mi_subproc_communal, block->slot);
  if (segment == NULL) return false;
  const mi_page_t* page = &segment->pages[block->index];
  bool alive = lives_in(heap, segment, block->index) && page->block_size == block->size;
  let_go(block->slot);
  return alive;
}

/* Finds the heap's first block in the slot from page *index on, and pins the slot; *index is then
   the page after it. False if there is no such block. */
static bool
find_next(mi_slot_ref_t slot, unsigned* index, mi_heap_t* heap, mi_communal_block_t* block) {
  mi_segment_t* segment = mi_abandoned_hold_patiently(&mi_subproc_communal, slot);
  if (segment == NULL) return false;
  while (*index < segment->page_count && !lives_in(heap, segment, *index)) ++*index;
  bool found = *index < segment->page_count;
  if (found) {
    const mi_page_t* page = &segment->pages[*index];
    *block = (mi_communal_block_t){page->start, page->block_size, page->tag, slot, *index};
    heap->tld->visited_communal = mi_segment_pin(slot);
    ++*index;
  }
  let_go(slot);
  return found;
}

void mi_communal_break_off(mi_tld_t* tld) {
  mi_segment_t* segment = tld->visited_communal;
  tld->visited_communal = NULL;
  if (segment != NULL) mi_segment_unpin(mi_segment_slot(segment));
}

bool mi_communal_for_each(mi_heap_t* heap, mi_communal_fun* fn, void* arg) {
  if (!has_any(heap)) return true;
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    unsigned index = 0;
    mi_communal_block_t block;
    while (find_next(walk.slot, &index, heap, &block)) {
      bool go_on = fn(heap, &block, arg);
      mi_communal_break_off(heap->tld);
      if (!go_on) return false;
    }
  }
  return true;
}

/* Whether p lies in a live block of the heap in the segment, which the caller holds. */
static bool holds(mi_segment_t* segment, const mi_heap_t* heap, const void* p) {
  if (mi_segment_of(p) != segment) return false;
  const mi_page_t* page = mi_segment_page_of(segment, p);
  return lives_in(heap, segment, mi_page_index(segment, page)) &&
         (size_t)((const uint8_t*)p - page->start) < page->block_size;
}

/* p may be any address, and a segment may end unless it is held: so each communal segment is held,
   and asked for p. */
bool mi_communal_holds(const mi_heap_t* heap, const void* p) {
  if (!has_any(heap)) return false;
  bool found = false;
  for (mi_slot_walk_t walk = mi_walk_slots(); !found && mi_next_slot(&walk);) {
    mi_segment_t* segment = mi_abandoned_hold_patiently(&mi_subproc_communal, walk.slot);
    if (segment == NULL) continue;
    found = holds(segment, heap, p);
    let_go(walk.slot);
  }
  return found;
}

static bool stop(mi_heap_t* heap, const mi_communal_block_t* block, void* arg) {
  (void)heap, (void)block, (void)arg;
  return false;
}

bool mi_communal_has(mi_heap_t* heap) { return !mi_communal_for_each(heap, stop, NULL); }

static bool free_page(mi_heap_t* heap, const mi_communal_block_t* block, void* arg) {
  (void)arg;
  if (mi_communal_is_alive(heap, block)) mi_communal_page_free(mi_page_of(block->start));
  return true;
}

void mi_communal_free_pages(mi_heap_t* heap) { mi_communal_for_each(heap, free_page, NULL); }
