#include "heap/visit.h"

#include <string.h>

#include "heap/communal.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/reclaim.h"
#include "heap/retire.h"
#include "page/holes.h"
#include "segment/guard.h"
#include "segment/owner_lock.h"
#include "segment/track.h"

#define MOST_BLOCKS (MI_UNIT_SIZE / MI_WORD_SIZE)
_Static_assert(MI_MEDIUM_BLOCKS + MI_UNIT_SIZE / MI_SMALL_BLOCK_MAX <= MOST_BLOCKS,
               "a small page has more blocks than any other");

/* ---- The blocks of a page ---- */

/* The blocks that have been free at some moment since the visit of the page began. */
typedef struct free_set_s {
  const mi_block_t* free; /* the heads of the page's lists when they were last looked at */
  const mi_block_t* local_free;
  const mi_block_t* thread_free;
  uint64_t pops; /* a number that changes when blocks are taken from local_free or thread_free */
  size_t count;  /* blocks that were laid out when the visit began */
  uint64_t bits[MOST_BLOCKS / 64];
} free_set_t;

static bool is_free(const free_set_t* set, size_t index) {
  return (set->bits[index / 64] >> (index % 64) & 1) != 0;
}

/* Adds the blocks of a list up to `known`, from which on they were added before. Returns the head
   of the list. */
static const mi_block_t*
add_list(free_set_t* set, const mi_page_t* page, const mi_block_t* head, const mi_block_t* known) {
  size_t steps = 0; /* a list that the program has broken may have no end */
  for (const mi_block_t* block = head;
       block != NULL && block != known && mi_page_contains(page, block) && steps < page->reserved;
       block = mi_block_peek_next(page, block), steps++) {
    size_t index = mi_page_block_number(page, block);
    if (index < set->count) set->bits[index / 64] |= (uint64_t)1 << (index % 64);
  }
  return head;
}

/* The word thread_free, when no thread is at work on the page: one may have taken the list to purge
   it, and will put it back. */
static uintptr_t settled_word(const mi_page_t* page) {
  /* Acquire: pairs with the release of each push, and of a purge; we see links and holes. */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  for (unsigned round = 0; mi_tf_state(word) == MI_TF_BUSY; round++) {
    mi_os_yield(round);
    word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  }
  return word;
}

/* Adds the blocks on thread_free, and its holes. A purge that makes holes of blocks on the list
   while it is followed is noticed, and the list is followed again. If all blocks of the page were
   freed, and it is purged with the links, all blocks are free. */
static void add_others(free_set_t* set, mi_page_t* page, const mi_block_t* known) {
  uintptr_t word;
  uint64_t holes;
  do {
    word = settled_word(page);
    /* Acquire: pairs with the release in mi_page_make_holes. If a purge has begun since, and these
       are its holes already, the list is followed as it is between them. */
    holes = atomic_load_explicit(&page->holes, memory_order_acquire);
    if (mi_tf_list(word) != known) set->thread_free = add_list(set, page, mi_tf_list(word), known);
    set->bits[0] |= holes;
    /* A read-modify-write, so that the links were read before: it releases to the acquire with
       which a purge takes the list. And if one has put the list back, the acquire shows its
       holes. */
    word = atomic_fetch_add_explicit(&page->thread_free, 0, memory_order_acq_rel);
  } while (mi_tf_state(word) == MI_TF_BUSY || mi_page_holes(page) != holes);
  if ((word & MI_TF_WHOLE) == 0) return;
  for (size_t i = 0; i < set->count; i += 64) {
    set->bits[i / 64] = mi_bits64(0, set->count - i < 64 ? (unsigned)(set->count - i) : 64);
  }
}

/* A number that changes when malloc takes a block from local_free or thread_free: such a block is
   one of quick_blocks, or is taken in a slow path, unless a collect has moved it before, which sets
   page->collected. The heap is this thread's; from an abandoned page no blocks are taken. */
static uint64_t count_pops(const mi_page_t* page) {
  const mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
  if (heap == NULL) return 0;
  return (uint64_t)heap->tld->stats.slow_calls << 32 | (uint32_t)heap->quick_blocks;
}

static void start_set(free_set_t* set, mi_page_t* page) {
  set->count = page->capacity;
  memset(set->bits, 0, (set->count + 63) / 64 * sizeof(set->bits[0]));
  set->free = add_list(set, page, page->free, NULL);
  set->local_free = add_list(set, page, page->local_free, NULL);
  set->thread_free = NULL;
  set->pops = count_pops(page);
  add_others(set, page, NULL);
}

/* Adds blocks that were freed meanwhile. Pushed blocks are in front of the old head of their list.
   `free` is always added as a whole. When blocks were taken from the other two lists, all are added
   as wholes: an old head may be back in front of new blocks. */
static void update_set(free_set_t* set, mi_page_t* page) {
  uint64_t pops = count_pops(page);
  if (pops != set->pops || page->collected) set->free = set->local_free = set->thread_free = NULL;
  page->collected = false;
  set->pops = pops;
  add_others(set, page, set->thread_free);
  if (page->local_free != set->local_free) {
    set->local_free = add_list(set, page, page->local_free, set->local_free);
  }
  if (page->free != set->free) set->free = add_list(set, page, page->free, NULL);
}

static size_t count_live(const free_set_t* set) {
  size_t live = set->count;
  for (size_t i = 0; i < (set->count + 63) / 64; i++) live -= mi_popcount64(set->bits[i]);
  return live;
}

static bool show_block(const mi_visit_t* visit, const mi_heap_t* heap, const mi_heap_area_t* area,
                       const mi_page_t* page, uint8_t* block) {
  if (MI_TRACK) {
    mi_tracked_t tracked = mi_tracked_of((mi_block_t*)block);
    if (tracked.p == NULL) return true; /* another thread has just freed it */
    return visit->visitor(heap, area, tracked.p, tracked.size, visit->arg);
  }
  if (MI_GUARDED) { /* the rest of a guarded block must not be touched */
    mi_guarded_t guarded = mi_guarded_of(page, block);
    if (guarded.p != NULL) {
      return visit->visitor(heap, area, guarded.p, guarded.size, visit->arg);
    }
  }
  return visit->visitor(heap, area, block, area->block_size, visit->arg);
}

/* Shows the page and, if visit->blocks is set, its live blocks. `heap` is what the visitor gets,
   NULL for an abandoned page. The page must neither end nor change owners meanwhile; its lists may
   change, also by the visitor. A block is shown if it is alive from the start until its turn. False
   if the visitor returned false. */
static bool visit_page(const mi_visit_t* visit, const mi_heap_t* heap, mi_page_t* page) {
  free_set_t set;
  page->began_anew = page->collected = false;
  start_set(&set, page);
  size_t size = page->block_size;
  const mi_heap_area_t area = {
      .blocks = page->start,
      .reserved = page->reserved * size,
      .committed = page->capacity * size,
      .used = count_live(&set),
      .block_size = size,
      .full_block_size = size,
      .heap_tag = page->tag,
  };
  if (!visit->visitor(heap, &area, NULL, size, visit->arg)) return false;
  if (!visit->blocks) return true;
  for (size_t i = 0; i < set.count; i++) {
    update_set(&set, page);
    if (page->began_anew) return true; /* the blocks that were alive at the start are all dead */
    if (is_free(&set, i)) continue;
    if (!show_block(visit, heap, &area, page, page->start + i * size)) return false;
  }
  return true;
}

/* ---- The pages of a heap ---- */

static void chain_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)heap;
  mi_page_t*** last = arg;
  page->visit_next = NULL;
  **last = page;
  *last = &page->visit_next;
}

static void retire_if_empty(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)heap;
  (void)arg;
  if (mi_page_is_empty(page)) mi_page_retire(page);
}

static bool visit_communal(mi_heap_t* heap, const mi_communal_block_t* block, void* arg) {
  const mi_visit_t* visit = arg;
  const mi_heap_area_t area = {
      .blocks = block->start,
      .reserved = block->size,
      .committed = block->size,
      .used = 1,
      .block_size = block->size,
      .full_block_size = block->size,
      .heap_tag = block->tag,
  };
  if (!visit->visitor(heap, &area, NULL, block->size, visit->arg)) return false;
  if (!visit->blocks || !mi_communal_is_alive(heap, block)) return true;
  return show_block(visit, heap, &area, mi_page_of(block->start), block->start);
}

bool mi_heap_visit(mi_heap_t* heap, const mi_visit_t* visit) {
  mi_assert(!heap->visiting);
  mi_heap_collect_frees(heap);
  mi_page_t* first = NULL;
  mi_page_t** last = &first;
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, chain_page, &last);
  heap->visiting = true;
  bool all = true;
  for (mi_page_t* page = first; page != NULL && all; page = page->visit_next) {
    all = visit_page(visit, heap, page);
  }
  all = all && mi_communal_for_each(heap, visit_communal, (void*)visit);
  heap->visiting = false;
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, retire_if_empty, NULL);
  return all;
}

/* ---- Abandoned pages ---- */

typedef struct abandoned_visit_s {
  const mi_visit_t* visit;
  int tag;
} abandoned_visit_t;

static bool visit_segment(mi_segment_t* segment, void* arg) {
  const abandoned_visit_t* visit = arg;
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    mi_page_t* page = &segment->pages[mi_ctz64(pages)];
    if (visit->tag >= 0 && page->tag != visit->tag) continue;
    if (!visit_page(visit->visit, NULL, page)) return false;
  }
  return true;
}

bool mi_abandoned_visit(mi_subproc_t* subproc, int tag, const mi_visit_t* visit) {
  abandoned_visit_t abandoned = {visit, tag};
  return mi_abandoned_for_each(subproc, visit_segment, &abandoned, mi_heap_free_missed);
}

/* ---- Which block holds an address ---- */

bool mi_page_holds(mi_page_t* page, const void* p) {
  if ((uintptr_t)p - (uintptr_t)page->start >= page->capacity * page->block_size) return false;
  size_t index = mi_page_block_number(page, p);
  free_set_t set;
  start_set(&set, page);
  return !is_free(&set, index) && !mi_magazine_holds(page, mi_page_block_of(page, p));
}

typedef struct search_s {
  const void* p;
  bool found;
} search_t;

static void search_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)heap;
  search_t* search = arg;
  search->found = search->found || mi_page_holds(page, search->p);
}

bool mi_heap_holds(mi_heap_t* heap, const void* p) {
  search_t search = {p, false};
  mi_owner_enter(heap->segments->lock);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, search_page, &search);
  mi_owner_leave(heap->segments->lock);
  return search.found || mi_communal_holds(heap, p);
}
