/* How segments change owners: a thread that ends abandons them, and one that needs pages adopts
   them. */
#include "heap/reclaim.h"

#include "heap/heap.h"
#include "heap/heaps.h"
#include "heap/magazine.h"
#include "heap/queue.h"
#include "heap/request.h"
#include "heap/retire.h"
#include "heap/thread.h"
#include "os/rare.h"
#include "segment/abandoned.h"
#include "segment/abandoned_visit.h"
#include "segment/arena.h"
#include "segment/mark.h"
#include "segment/owner_lock.h"
#include "segment/segment_queue.h"
#include "stats/stats.h"

/* Bounds on how many segments one slow path adopts, whatever the option max_segment_reclaim
   says. */
enum { LEAST_TRIES = 8, MOST_TRIES = 64 };

/* ---- Abandon ---- */

/* NORMAL -> UNOWNED: from now on the thread that frees the block also frees the segment. */
static void abandon_huge(mi_heap_t* heap, mi_page_t* page) {
  mi_segment_t* segment = mi_segment_of(page);
  mi_heap_remove_page(heap, page);
  atomic_store_explicit(&page->heap, NULL, memory_order_relaxed);
  atomic_store_explicit(&segment->thread_id, 0, memory_order_relaxed);
  atomic_store_explicit(&segment->subproc, mi_subproc_of(&heap->tld->segments),
                        memory_order_relaxed);
  mi_race_window();
  uintptr_t expected = MI_TF_NORMAL;
  /* Release: pairs with the acquire in free_huge_mt (heap/delayed.c); the thread that frees the
     block sees the header as we left it. Acquire: pairs with the release of the push, if there was
     one. */
  if (!atomic_compare_exchange_strong_explicit(&page->thread_free, &expected, MI_TF_UNOWNED,
                                               memory_order_acq_rel, memory_order_acquire)) {
    mi_huge_page_free(page); /* its block was freed just now */
  }
}

static void free_if_empty(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  mi_page_free_collect_all(page);
  if (mi_page_is_empty(page)) mi_heap_free_page(heap, page);
}

/* Abandons a page, even one that has become empty just now: its segment counts how many of its
   pages were let go, and would count wrongly if a page ended in between. The thread that adopts the
   segment frees such a page. */
static void abandon_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)arg;
  if (page->bin == MI_BIN_HUGE) {
    abandon_huge(heap, page);
    return;
  }
  mi_heap_remove_page(heap, page);
  if (mi_page_is_shared(page)) mi_page_unshare(page);
  page->stack = NULL;
  mi_page_clear_freer(page);
  atomic_store_explicit(&page->heap, NULL, memory_order_relaxed);
  atomic_store_explicit(&page->link, page->used, memory_order_relaxed);
  mi_segments_tld_t* tld = heap->segments;
  mi_segment_t* segment = mi_segment_of(page);
  segment->abandoned_pages++;
  if (segment->abandoned_pages == segment->used) {
    mi_slot_ref_t slot = mi_segment_slot(segment);
    mi_segment_queue_remove(tld, segment);
    mi_segment_abandon(tld, segment);
    /* What other threads freed until now, while they still took us for the owner, or found the
       segment in nobody's hands yet. */
    mi_heap_free_abandoned_pages(mi_subproc_of(tld), slot, ~(uint64_t)0);
  }
}

void mi_heap_abandon(mi_heap_t* heap) {
  mi_magazine_settle(heap);
  mi_heap_settle(heap);
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, free_if_empty, NULL);
  mi_race_window();
  mi_heap_for_each_page(heap, MI_PAGE_QUEUES, abandon_page, NULL);
  mi_heap_leave_single_room(heap);
  mi_assert(heap->page_count == 0);
}

/* ---- Reclaim ---- */

static bool has_free_block(mi_page_t* page) {
  return page->free != NULL || page->capacity < page->reserved;
}

/* Whether the heap adopts segments of its own accord. One that may be destroyed does so only when
   its arena is full: the blocks are not its own, and must not die with it. */
static bool may_adopt(const mi_heap_t* heap) { return !heap->allow_destroy; }

/* Which heap of the thread gets an adopted page that `heap` has come upon. */
static mi_heap_t* owner_for(mi_heap_t* heap, const mi_page_t* page) {
  if (page->tag == heap->tag || mi_heap_is_restricted(heap)) return heap;
  return mi_heap_for_tag(heap->tld, page->tag);
}

/* Whether all that is free in a coarse page, in which some block is alive, can be had by others. */
static bool is_offered(const mi_page_t* page) {
  return mi_page_is_coarse(page) && page->reserved > 1 && page->capacity == page->reserved &&
         page->free == NULL && page->local_free == NULL && !mi_page_has_come_back(page);
}

/* Takes the pages of a segment that this thread has just adopted: into the heap, or, if they have
   another tag, into the thread's heap for that tag. Returns a page of `bin` in the heap that has
   room, or NULL. If no block in the segment was alive, it is gone afterwards. */
static mi_page_t* take_pages(mi_heap_t* heap, mi_segment_t* segment, unsigned bin) {
  mi_page_t* found = NULL;
  heap->tld->stats.segments_reclaimed++;
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    mi_page_t* page = &segment->pages[mi_ctz64(pages)];
    mi_heap_t* target = owner_for(heap, page);
    /* As a page that the heap shares is left when it is no longer full. */
    bool stays = page->bin != bin && mi_heap_shares(target, page) && is_offered(page);
    if (!stays) mi_page_free_collect_all(page);
    if (mi_page_is_empty(page)) {
      mi_page_check_end(page, atomic_load_explicit(&page->thread_free, memory_order_relaxed));
      mi_thread_stat_down(heap->tld, pages);
      mi_segment_page_free(heap->segments, page);
      continue;
    }
    page->tag = target->tag;
    page->adopted = !may_adopt(target);
    if (page->adopted) target->has_adopted = true;
    bool fits = target == heap && page->bin == bin && has_free_block(page);
    if (fits && found == NULL) {
      mi_heap_take_page(target, page); /* its free blocks stay: malloc takes one now */
      found = page;
    } else {
      mi_heap_take_used_page(target, page);
    }
  }
  return found;
}

mi_page_t* mi_heap_reclaim(mi_heap_t* heap, unsigned bin) {
  size_t abandoned = mi_abandoned_count(heap->segments);
  if (mi_likely(abandoned == 0) || !may_adopt(heap)) return NULL;
  /* Only instead of a fresh segment: a thread that has pages left would take these from threads
     that need them. */
  if (mi_segment_has_free_page(heap->segments, mi_bin_block_size(bin)) &&
      !mi_rare(mi_rare_reclaim)) {
    return NULL;
  }
  size_t tries = abandoned * (size_t)mi_option_get(mi_option_max_segment_reclaim) / 100;
  if (tries < LEAST_TRIES) tries = LEAST_TRIES;
  if (tries > MOST_TRIES) tries = MOST_TRIES;
  while (tries-- > 0) {
    mi_segment_t* segment = mi_segment_adopt_next(heap->segments);
    if (segment == NULL) return NULL;
    mi_page_t* page = take_pages(heap, segment, bin);
    if (page != NULL) {
      mi_heap_remove_page(heap, page);
      mi_heap_add_page(heap, page, true);
      if (page->free == NULL) mi_heap_extend_page(heap, page);
      return page;
    }
    if (mi_segment_has_free_page(heap->segments, mi_bin_block_size(bin))) return NULL;
  }
  return NULL;
}

static void count_page_down(const mi_subproc_t* subproc) {
  if (mi_heap_is_initialized(mi_heap_default) && subproc != &mi_subproc_communal) {
    mi_thread_stat_down(mi_heap_default->tld, pages);
  } else {
    mi_stat_down(pages, 1);
  }
}

/* Takes the blocks of a page that has come back. A lost thread of a forked process may have begun
   that: then `link` is 0, and they are gone. */
static void empty_page(mi_page_t* page) {
  bool was_begun = atomic_load_explicit(&page->link, memory_order_relaxed) == 0;
  /* First, so that the page is empty for a forked child, too: see mi_page_forget_other_thread. */
  atomic_store_explicit(&page->link, 0, memory_order_relaxed);
  if (was_begun) {
    mi_page_forget_frees(page);
  } else {
    mi_page_end_frees(page);
  }
}

/* Frees the empty ones among these pages of an abandoned segment, which the caller holds. False if
   the segment is gone. */
static bool free_empty(mi_subproc_t* subproc, mi_segment_t* segment, uint64_t pages) {
  mi_segments_tld_t tld = {.subproc = subproc, .count = 1};
  for (pages &= mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    mi_page_t* page = &segment->pages[mi_ctz64(pages)];
    if (!mi_page_abandoned_has_come_back(page)) continue;
    empty_page(page);
    page->used = 0;
    count_page_down(subproc);
    bool last = segment->used == 1;
    /* Now, while the segment is held: its sub-process does not end meanwhile. */
    if (last) mi_abandoned_ended(subproc, mi_segment_slot(segment));
    mi_segment_page_free(&tld, page);
    if (last) return false;
  }
  mi_segment_queue_remove(&tld, segment);
  return true;
}

void mi_heap_free_abandoned_pages(mi_subproc_t* subproc, mi_slot_ref_t ref, uint64_t pages) {
  mi_segment_t* segment;
  while ((segment = mi_abandoned_hold(subproc, ref)) != NULL) {
    if (!free_empty(subproc, segment, pages)) return;
    if (!mi_abandoned_let_go(subproc, ref)) return;
    pages = ~(uint64_t)0; /* another thread came in vain, for any page */
  }
}

/* Frees the empty ones among these pages, whichever sub-process abandoned the segment. If that
   sub-process ends meanwhile, the segment goes to another one, and is looked at again. */
static void free_whosever_pages(mi_slot_ref_t ref, uint64_t pages) {
  mi_subproc_t* subproc = mi_mark_subproc(mi_mark_peek(ref));
  while (subproc != NULL) {
    mi_heap_free_abandoned_pages(subproc, ref, pages);
    mi_subproc_t* before = subproc;
    subproc = mi_mark_subproc(mi_mark_peek(ref));
    if (subproc == before) return;
  }
}

void mi_heap_free_abandoned_page(mi_slot_ref_t ref, unsigned index) {
  free_whosever_pages(ref, (uint64_t)1 << index);
}

void mi_heap_free_come_back(void) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);)
    free_whosever_pages(walk.slot, ~(uint64_t)0);
}

void mi_heap_free_missed(mi_subproc_t* subproc, mi_slot_ref_t ref) {
  mi_heap_free_abandoned_pages(subproc, ref, ~(uint64_t)0);
}

void mi_heap_hand_over(mi_subproc_t* subproc) {
  mi_abandoned_hand_over(subproc, mi_heap_free_missed);
}

/* Frees the empty pages of abandoned segments in the arena, but not of communal ones. */
static void sweep_arena(mi_arena_t* arena) {
  if (arena->exclusive && atomic_load_explicit(&arena->abandoned, memory_order_relaxed) == 0)
    return;
  mi_slot_walk_t walk = mi_walk_slots_of(arena->first_chunk, arena->chunk_count);
  while (mi_next_slot(&walk)) {
    if (mi_mark_subproc(mi_mark_peek(walk.slot)) != &mi_subproc_communal) {
      free_whosever_pages(walk.slot, ~(uint64_t)0);
    }
  }
}

void mi_heap_reclaim_all(mi_heap_t* heap) {
  heap = &heap->tld->backing;
  mi_segment_t* segment;
  while ((segment = mi_segment_adopt_next(heap->segments)) != NULL) {
    take_pages(heap, segment, MI_BIN_NONE);
  }
  for (size_t i = 0; i < mi_arena_count(); i++) {
    if (mi_arena_at(i)->exclusive) sweep_arena(mi_arena_at(i));
  }
}

void mi_heap_reclaim_arena(mi_heap_t* heap, bool adopt) {
  mi_segment_t* segment;
  sweep_arena(heap->segments->arena);
  while (adopt && (segment = mi_segment_adopt_next(heap->segments)) != NULL) {
    take_pages(heap, segment, MI_BIN_NONE);
  }
}

bool mi_heap_reclaim_segment_of(mi_heap_t* heap, const mi_page_t* page) {
  mi_tld_t* tld = heap->tld;
  mi_segment_t* segment = mi_segment_of(page);
  bool open = mi_arena_admits(segment->chunk, NULL);
  heap = open ? &tld->backing : mi_heap_for_arena(tld, mi_arena_of(segment->chunk));
  if (heap == NULL) return false;
  bool can_spare = mi_segment_has_free_page(heap->segments, page->block_size);
  if (can_spare && !mi_rare(mi_rare_reclaim)) return false;
  mi_owner_enter(tld->segments.lock);
  bool adopted = mi_segment_try_adopt(heap->segments, segment);
  if (adopted) take_pages(heap, segment, MI_BIN_NONE);
  mi_owner_leave(tld->segments.lock);
  return adopted;
}
