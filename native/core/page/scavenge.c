#include "page/scavenge.h"

#include "os/fence.h"
#include "os/rare.h"
#include "page/holes.h"
#include "segment/pin.h"
#include "segment/place.h"
#include "segment/purger.h"

/* When the next round is due; 0: nothing was announced. And when the purger is to look at what only
   it can take. */
static _Atomic(int64_t) next_due;
static _Atomic(int64_t) purger_due;

/* How many units an announcement counts for where nobody knows. */
enum { SOME_UNITS = 16 };

/* After so many looks at a slot its blocks are purged, if all is well. */
enum { LOOKS = 2 };

/* How many rounds in a row found nothing, at most MOST_VAIN. Hints then are followed up later, by
   up to 2^MOST_VAIN times as long: in a program in which threads free each other's blocks now and
   then, and their owners look, there never is anything to be had. */
enum { MOST_VAIN = 2 };
static _Atomic(uint32_t) vain_rounds;

/* A visit to the marked slots. */
typedef struct round_s {
  bool all; /* not only what was there at the last look */
  mi_purge_budget_t* budget;
} round_t;

/* What a visit to a slot leaves: it is to be visited again; or, for the sake of so many pages, by
   the purger. */
typedef struct rest_s {
  bool again;
  size_t for_purger;
} rest_t;

/* Says when a round is due, unless one is sooner. False if nothing is ever purged. Sequentially
   consistent, like the marks and what a round does with both: the announcer marks the chunk and
   then reads the time; a round clears the time and then reads the marks. So one of the two sees the
   other. */
static bool make_due(_Atomic(int64_t)* due, unsigned looks) {
  int64_t at = mi_purge_time(looks);
  int64_t found = atomic_load(due);
  while (at != 0 && (found == 0 || at < found) &&
         !atomic_compare_exchange_strong(due, &found, at)) {
  }
  return found != 0 || at != 0;
}

static void announce(mi_slot_ref_t ref, unsigned looks, size_t units) {
  atomic_fetch_or(&ref.chunk->to_scavenge, 1u << ref.index);
  if (make_due(&next_due, looks)) mi_purger_count(MI_WAITING_BLOCKS, units);
}

static void announce_to_purger(mi_slot_ref_t ref, size_t units) {
  atomic_fetch_or(&ref.chunk->to_purger, 1u << ref.index);
  if (make_due(&purger_due, LOOKS)) mi_purger_count(MI_WAITING_PAGES, units);
}

void mi_scavenge_announce(mi_slot_ref_t ref, size_t bytes) {
  size_t units = bytes >> MI_UNIT_SHIFT;
  announce(ref, LOOKS, units == 0 ? 1 : units);
}

void mi_scavenge_hint(mi_slot_ref_t ref) {
  uint32_t vain = atomic_load_explicit(&vain_rounds, memory_order_relaxed);
  announce(ref, (unsigned)LOOKS << vain, SOME_UNITS);
}

/* Says that this round has found something. */
static void note_found(void) {
  if (atomic_load_explicit(&vain_rounds, memory_order_relaxed) == 0) return;
  atomic_store_explicit(&vain_rounds, 0, memory_order_relaxed);
}

static void purge_page(const mi_segment_t* segment, mi_page_t* page) {
  size_t size;
  uint8_t* area = mi_segment_page_area(segment, page, &size);
  mi_purge_inside(mi_segment_slot(segment), area, area + size);
  mi_page_forget_holes(page);
  mi_race_window();
  /* No thread has pushed meanwhile, since every block was on the list. Release: pairs with the
     acquire with which the owner collects; it finds the purge over. */
  atomic_store_explicit(&page->thread_free, MI_TF_WHOLE | MI_TF_NORMAL, memory_order_release);
}

/* The next block of the list. Also NULL if the program has broken the list: its owner will notice,
   and report it. */
static mi_block_t* next_of(const mi_page_t* page, const mi_block_t* block) {
  mi_block_t* next = mi_block_peek_next(page, block);
  return mi_page_contains(page, next) ? next : NULL;
}

static size_t count_purged(const mi_page_t* page) {
  return atomic_load_explicit(&page->purged, memory_order_relaxed);
}

/* What page->seen is for a list: not 0, and most likely another number than for any that the next
   look may find. */
static uint8_t signature(uintptr_t word) {
  return (uint8_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> 56) | 1;
}

static bool was_seen(const mi_page_t* page, uintptr_t word) {
  return atomic_load_explicit(&page->seen, memory_order_relaxed) == signature(word);
}

/* Whether the list is the one of the last look: else threads are at work in the page. Notes which
   one it is. */
static bool has_rested(mi_page_t* page, uintptr_t word) {
  if (was_seen(page, word)) return true;
  atomic_store_explicit(&page->seen, signature(word), memory_order_relaxed);
  return false;
}

/* BUSY -> NORMAL. Puts the list that was taken behind the blocks that were pushed
   meanwhile. */
static void put_back(mi_page_t* page, mi_block_t* list, size_t count) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  for (;;) {
    mi_block_t* pushed = mi_tf_list(word);
    uintptr_t whole = count == page->reserved && page->bin != MI_BIN_HUGE ? MI_TF_WHOLE : 0;
    uintptr_t wanted = pushed != NULL ? MI_TF_BUSY : mi_tf_make(list, count, whole);
    /* Release: pairs with the acquire with which the owner collects; it finds the purge over, and
       sees our links. Acquire: pairs with the release of each push; we see its link. */
    if (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, wanted,
                                               memory_order_acq_rel, memory_order_relaxed)) {
      continue;
    }
    if (pushed == NULL) return;
    mi_block_t* last = pushed;
    size_t left = mi_tf_count(word); /* a list that the program has broken may have no end */
    count += left;
    for (mi_block_t* next; left > 1 && (next = next_of(page, last)) != NULL; left--) {
      last = next;
    }
    mi_block_set_next(page, last, list);
    list = pushed;
    word = MI_TF_BUSY;
  }
}

/* Whether the list, with the holes, has not as many blocks as are counted: then a block that was
   freed twice was counted in place of one that is alive. The owner will report it. */
static bool is_broken(const mi_page_t* page, uintptr_t word) {
  if (page->reserved <= MI_HOLES_MOST)
    return !mi_page_list_is_sound(page, mi_tf_list(word), mi_tf_count(word));
  size_t left = mi_tf_count(word);
  const mi_block_t* block = mi_tf_list(word);
  for (; block != NULL && left > 0; left--) block = next_of(page, block);
  return block != NULL || left > 0;
}

/* Whether there is something to purge: the whole page; or, unless threads are at work in it, the
   blocks on the list, if some were not purged yet. Each of these is a call of the system, and
   interrupts other processors. */
static bool is_worth_it(mi_segment_t* segment, const mi_page_t* page, uintptr_t word, bool all) {
  if (mi_tf_list(word) == NULL) return false;
  if ((word & MI_TF_WHOLE) != 0) return true;
  if (!mi_segment_page_is_coarse(segment, page)) return false;
  if (!all && !mi_segment_is_huge(segment) && !was_seen(page, word)) return false;
  return mi_tf_count(word) > count_purged(page);
}

/* Notes which list it is. False if the page must be looked at again: there is more to purge in it,
   or its owner may be about to free the last block. */
static bool note_seen(mi_segment_t* segment, mi_page_t* page, uintptr_t word) {
  if (mi_tf_list(word) == NULL) return true;
  bool rested = has_rested(page, word);
  if (!mi_segment_page_is_coarse(segment, page)) return rested;
  if (mi_tf_count(word) <= count_purged(page)) return true;
  note_found();
  return false;
}

/* Purges the page, or blocks of it, if that is due. False if the page must be looked at again. */
static bool scavenge_page(mi_segment_t* segment, mi_page_t* page, const round_t* round) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  uintptr_t whole;
  do {
    /* The push that lets the page leave the full queue announces it again; the few blocks until
       then have no whole system page inside. */
    if (mi_tf_state(word) == MI_TF_FULL) return true;
    if (!is_worth_it(segment, page, word, round->all)) return note_seen(segment, page, word);
    if (mi_tf_state(word) != MI_TF_NORMAL) return false;
    whole = word & MI_TF_WHOLE;
    /* Acquire: pairs with the release of each push; the threads that freed these blocks do not
       write to them any more. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, whole | MI_TF_BUSY,
                                                  memory_order_acquire, memory_order_relaxed));
  note_found();
  mi_race_window();
  if (whole != 0 && !(MI_CHECKED && is_broken(page, word))) {
    mi_purge_spend(round->budget, mi_units_for(page->block_size));
    purge_page(segment, page);
    return true;
  }
  mi_block_t* list = mi_tf_list(word);
  size_t count = mi_tf_count(word);
  if (whole == 0) {
    size_t bytes = (count - count_purged(page)) * page->block_size;
    mi_purge_spend(round->budget, 1 + (bytes >> MI_UNIT_SHIFT));
    list = mi_page_make_holes(page, list, count);
  }
  mi_race_window();
  bool done = note_seen(segment, page, word);
  put_back(page, list, count);
  return done || whole != 0;
}

/* ---- Pages at rest ----
   Their blocks are all free, some on thread_free and the others on the owner's lists, and malloc
   does not take from them just now. */

/* These functions read, and empty, lists that the owner writes by plain stores. ThreadSanitizer
   knows nothing of the fence that makes that right (segment/owner_lock.h), and looks away. */
#define mi_fenced __attribute__((noinline, no_sanitize("thread")))

/* Whether some blocks of the page are on thread_free, not all, and nobody is at work on it. */
static bool is_free_in_part(uintptr_t word) {
  return mi_tf_list(word) != NULL && mi_tf_state(word) == MI_TF_NORMAL && (word & MI_TF_WHOLE) == 0;
}

/* A guess, unless the caller has the owner's lock. */
mi_fenced static bool is_at_rest(const mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  size_t used = (size_t)page->used + page->uncounted;
  return is_free_in_part(word) && mi_tf_count(word) == used && page->reserved > 1 &&
         (page->in_full || page->prev != NULL) && page->retire_expire == 0;
}

/* Whether a page at rest was so at the last look, too. Notes that it was seen. */
static bool was_at_rest(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return has_rested(page, word);
}

/* Empties the owner's lists of a page at rest, so that all of its blocks are with other threads,
   and makes it BUSY. False, and nothing has happened, if it is none after all. The caller has the
   owner's lock. */
mi_fenced static bool take_at_rest(mi_page_t* page) {
  if (!is_at_rest(page)) return false;
  /* Acquire: pairs with the release of each push. */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  /* If the program has freed a block twice, one that is alive may seem free. The owner will report
     it. */
  if (MI_CHECKED && !mi_page_lists_have_all(page, word)) return false;
  /* First, since a forked child goes by this word. */
  if (!atomic_compare_exchange_strong_explicit(&page->thread_free, &word, MI_TF_WHOLE | MI_TF_BUSY,
                                               memory_order_acquire, memory_order_relaxed)) {
    return false;
  }
  mi_race_window();
  mi_page_leave_lists(page);
  page->owner_shared = (uint16_t)(page->reserved - mi_tf_count(word));
  atomic_store_explicit(&page->flags, mi_page_flags(page) | MI_PAGE_SHARED, memory_order_relaxed);
  if (page->stack == NULL) mi_page_clear_freer(page);
  return true;
}

/* Whether the calling thread may take pages at rest of that owner: its own, or as the purger. */
static bool may_take(const mi_segment_t* segment) {
  return mi_segment_is_mine(segment) || (mi_os_is_helper() && mi_fence_is_usable());
}

static mi_owner_try_t get_lock(mi_owner_lock_t* lock, bool mine) {
  if (!mine) return mi_owner_try_lock(lock);
  mi_owner_enter(lock);
  return MI_OWNER_LOCKED;
}

static void give_lock(mi_owner_lock_t* lock, bool mine) {
  if (mine) {
    mi_owner_leave(lock);
  } else {
    mi_owner_unlock(lock);
  }
}

static uint64_t pages_at_rest(mi_segment_t* segment, uint64_t pages) {
  uint64_t found = 0;
  for (pages &= mi_segment_pages_of_other(segment); pages != 0; pages &= pages - 1) {
    unsigned index = mi_ctz64(pages);
    if (is_at_rest(&segment->pages[index])) found |= (uint64_t)1 << index;
  }
  return found;
}

/* Those of the `pages` that are at rest, and with which the owner is done. It may have freed a
   block just now, without its lock: some processors let others see sooner that it counted the block
   than that it put it on a list. The fence is after both. The caller has the lock. */
static uint64_t settled_pages(mi_segment_t* segment, uint64_t pages, bool mine) {
  uint64_t found = pages_at_rest(segment, pages);
  return found == 0 || mine || mi_fence_threads() ? found : 0;
}

/* Takes those of the `pages` that are at rest. *taken: which. False if the owner is to be asked
   again. */
static bool take_pages_at_rest(mi_segment_t* segment, uint64_t pages, uint64_t* taken) {
  mi_owner_lock_t* lock = mi_segment_lock(segment);
  if (lock == NULL) return true; /* it has no owner any more */
  bool mine = mi_segment_is_mine(segment);
  mi_owner_try_t got = get_lock(lock, mine);
  if (got != MI_OWNER_LOCKED) return got == MI_OWNER_GIVEN_UP;
  if (mi_segment_lock(segment) == lock) {
    for (pages = settled_pages(segment, pages, mine); pages != 0; pages &= pages - 1) {
      unsigned index = mi_ctz64(pages);
      if (take_at_rest(&segment->pages[index])) *taken |= (uint64_t)1 << index;
    }
  }
  give_lock(lock, mine);
  return true;
}

/* Purges those of the `pages` that are at rest. */
static void
scavenge_at_rest(mi_segment_t* segment, uint64_t pages, const round_t* round, rest_t* rest) {
  uint64_t taken = 0;
  if (!take_pages_at_rest(segment, pages, &taken)) rest->for_purger += mi_popcount64(pages);
  mi_race_window();
  for (; pages != 0; pages &= pages - 1) {
    unsigned index = mi_ctz64(pages);
    mi_page_t* page = &segment->pages[index];
    if ((taken >> index & 1) != 0) {
      mi_purge_spend(round->budget, mi_units_for(page->block_size));
      purge_page(segment, page);
    } else if (!scavenge_page(segment, page, round)) {
      rest->again = true;
    }
  }
}

/* ---- Rounds ---- */

/* No round needs to look at the page again, until somebody frees there: sets a trap for the owner.
   False if that was needed: the owner may be in the middle of a free that does not see it, so there
   is to be one more look. */
static bool let_go(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return !is_free_in_part(word) || !mi_page_set_trap(page);
}

static rest_t scavenge_segment(mi_segment_t* segment, const round_t* round) {
  rest_t rest = {false, 0};
  uint64_t at_rest = 0;
  bool takes = may_take(segment);
  bool has_lock = mi_segment_lock(segment) != NULL;
  for (uint64_t pages = mi_segment_pages_of_other(segment); pages != 0; pages &= pages - 1) {
    unsigned index = mi_ctz64(pages);
    mi_page_t* page = &segment->pages[index];
    bool rests = has_lock && is_at_rest(page);
    if (rests && takes && (was_at_rest(page) || round->all)) {
      at_rest |= (uint64_t)1 << index;
      continue;
    }
    /* At rest, but not for us to take, or not seen twice: the purger looks again; or, where there
       is no fence, the owner. */
    if (rests && mi_fence_is_usable()) {
      rest.for_purger++;
    } else if (rests && takes) {
      rest.again = true;
    }
    if (rests && takes) continue;
    if (!scavenge_page(segment, page, round) || (has_lock && !rests && !let_go(page))) {
      rest.again = true;
    }
  }
  if (at_rest != 0) scavenge_at_rest(segment, at_rest, round, &rest);
  return rest;
}

static void scavenge_slot(mi_slot_ref_t ref, const round_t* round) {
  rest_t rest = {false, 0};
  mi_purge_begin();
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment != NULL) {
    /* Asked here and not at the announcement: the chunk of a pinned segment stays as it is. */
    if (!ref.chunk->resident) rest = scavenge_segment(segment, round);
    mi_segment_unpin(ref);
  }
  mi_purge_end();
  if (rest.again) mi_scavenge_hint(ref);
  if (rest.for_purger > 0) {
    note_found();
    announce_to_purger(ref, rest.for_purger);
  }
}

static bool take_mark(_Atomic(uint32_t)* marks, mi_slot_ref_t ref) {
  uint32_t mark = 1u << ref.index;
  return (atomic_load(marks) & mark) != 0 && (atomic_fetch_and(marks, ~mark) & mark) != 0;
}

/* Visits the slot if it is marked. */
static void scavenge_if_marked(mi_slot_ref_t ref, const round_t* round) {
  if (take_mark(&ref.chunk->to_scavenge, ref)) scavenge_slot(ref, round);
}

void mi_scavenge_slot(mi_slot_ref_t ref, mi_purge_budget_t* budget) {
  scavenge_if_marked(ref, &(round_t){true, budget});
}

/* Visits the marked slots. Begins where the budget of the round before ran out: else slots in which
   blocks come and go all the time would use it up for ever. False if it has run out again. */
static bool scavenge(const round_t* round) {
  static _Atomic(size_t) next_slot;
  mi_slot_walk_t walk =
      mi_walk_slots_around(atomic_load_explicit(&next_slot, memory_order_relaxed));
  while (round->budget->units > 0 && mi_next_slot(&walk)) scavenge_if_marked(walk.slot, round);
  atomic_store_explicit(&next_slot, walk.next, memory_order_relaxed);
  return walk.left == 0;
}

void mi_scavenge_all(void) {
  mi_purge_budget_t all = {SIZE_MAX};
  (void)scavenge(&(round_t){true, &all});
}

int64_t mi_scavenge_next(void) {
  int64_t next = atomic_load(&next_due);
  int64_t other = mi_os_is_helper() ? atomic_load(&purger_due) : 0;
  return next == 0 || (other != 0 && other < next) ? other : next;
}

/* The purger visits the slots in which only it can do something. No other thread runs this, so it
   is kept apart. */
static mi_noinline void look_for_purger(int64_t now, const round_t* round) {
  int64_t due = atomic_load(&purger_due);
  if (due == 0 || now < due || !atomic_compare_exchange_strong(&purger_due, &due, 0)) return;
  mi_purger_forget_count(MI_WAITING_PAGES);
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (take_mark(&walk.slot.chunk->to_purger, walk.slot)) scavenge_slot(walk.slot, round);
  }
}

int64_t mi_scavenge_round(int64_t now, mi_purge_budget_t* budget) {
  round_t round = {mi_option_get(mi_option_purge_delay) == 0, budget};
  if (mi_os_is_helper()) look_for_purger(now, &round);
  int64_t due = atomic_load(&next_due);
  if (due == 0 || (now < due && !mi_rare(mi_rare_purge))) return mi_scavenge_next();
  if (!atomic_compare_exchange_strong(&next_due, &due, 0)) return mi_scavenge_next();
  mi_purger_forget_count(MI_WAITING_BLOCKS);
  uint32_t vain = atomic_load_explicit(&vain_rounds, memory_order_relaxed);
  if (vain < MOST_VAIN) atomic_store_explicit(&vain_rounds, vain + 1, memory_order_relaxed);
  if (!scavenge(&round)) {
    atomic_store(&next_due, mi_purge_later(now));
    mi_purger_count(MI_WAITING_BLOCKS, MI_UNITS_PER_SEGMENT);
  }
  return mi_scavenge_next();
}

mi_cold void mi_scavenge_forked(void) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (walk.slot.index >= walk.slot.chunk->slot_count) continue;
    atomic_fetch_or(&walk.slot.chunk->to_scavenge, 1u << walk.slot.index);
  }
  atomic_store(&next_due, mi_purge_time(LOOKS));
}
