#include "heap/purge.h"

#include "heap/heap.h"
#include "heap/magazine_sweep.h"
#include "heap/thread.h"
#include "os/fence.h"
#include "os/rare.h"
#include "page/scavenge.h"
#include "segment/huge_cache.h"
#include "segment/owner_lock.h"
#include "segment/purger.h"

static int64_t earlier(int64_t a, int64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

static _Atomic(bool) has_timer;

void mi_process_purge_has_timer(void) {
  atomic_store_explicit(&has_timer, true, memory_order_relaxed);
}

/* In each call: 2 MiB, and 8 MiB. The slot in which they run out may add 4. */
enum { SOME_UNITS = 32, PART_UNITS = 128 };

/* All that is due where nobody does the rest: a program that is seldom here would keep its peak for
   long. */
static size_t some_units(void) {
  bool is_helped = mi_purger_may_come() || atomic_load_explicit(&has_timer, memory_order_relaxed);
  return is_helped ? SOME_UNITS : SIZE_MAX;
}

/* With `some`, a part of what is due. *more: whether there may be a rest. */
static int64_t purge_due(bool some, bool* more) {
  *more = false;
  int64_t due = earlier(earlier(mi_purge_next(), mi_scavenge_next()), mi_magazine_next());
  if (mi_likely(due == 0)) return 0;
  int64_t now = mi_os_now();
  if (now < due && !mi_rare(mi_rare_purge)) return due;
  mi_purge_budget_t budget = {some ? some_units() : SIZE_MAX};
  /* The magazines first: the other two rounds see what this one frees. */
  int64_t magazines = mi_magazine_next() == 0 ? 0 : mi_magazine_round(now, &budget);
  int64_t units = mi_purge_round(now, &budget);
  int64_t next = earlier(earlier(units, mi_scavenge_round(now, &budget)), magazines);
  *more = budget.units == 0;
  return next;
}

int64_t mi_process_purge_due(void) {
  bool more;
  if (mi_os_is_helper() && mi_fence_is_wanted()) mi_fence_prepare();
  return purge_due(false, &more);
}

bool mi_process_purge_some(void) {
  bool more;
  (void)purge_due(true, &more);
  return more;
}

mi_cold void mi_process_purge_offer(void) {
  if (!mi_heap_is_initialized(mi_heap_default)) return;
  mi_tld_t* tld = mi_heap_default->tld;
  mi_owner_enter(tld->segments.lock);
  mi_heaps_collect_pages(tld, true);
  mi_owner_leave(tld->segments.lock);
}

mi_cold bool mi_process_purge_part(size_t* place) {
  mi_purge_budget_t budget = {PART_UNITS};
  if (*place == 0) {
    mi_process_purge_offer();
    if (!mi_magazine_take_all(&budget)) return false;
  }
  mi_huge_cache_drop(&budget);
  mi_slot_walk_t walk = mi_walk_slots_from(*place);
  /* A slot in any case: other threads may put into the huge cache faster than parts empty it. */
  do {
    *place = walk.next;
    if (!mi_next_slot(&walk)) return true;
    mi_scavenge_slot(walk.slot, &budget);
    mi_purge_slot(walk.slot, &budget);
  } while (budget.units > 0);
  *place = walk.next;
  return false;
}

void mi_process_purge_all(void) {
  (void)mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  mi_scavenge_all();
  mi_purge_all();
}
