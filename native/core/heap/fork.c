#include "heap/fork.h"

#include "heap/delayed.h"
#include "heap/magazine_sweep.h"
#include "heap/reclaim.h"
#include "heap/retire.h"
#include "heap/thread.h"
#include "os/fence.h"
#include "page/orphan.h"
#include "page/scavenge.h"
#include "segment/abandoned.h"
#include "segment/abandoned_visit.h"
#include "segment/arena.h"
#include "segment/huge_cache.h"
#include "segment/orphan.h"
#include "segment/owner_lock.h"
#include "segment/page_key.h"
#include "segment/pin.h"
#include "segment/purge.h"
#include "segment/purger.h"
#include "stats/stats.h"

/* Forgets all pins but those that this thread has as a visitor. */
static void forget_pins(const mi_tld_t* tld) {
  mi_slot_ref_t mine[2];
  size_t count = 0;
  if (mi_abandoned_visits_run(&mine[count])) count++;
  if (tld != NULL && tld->visited_communal != NULL) {
    mine[count++] = mi_segment_slot(tld->visited_communal);
  }
  mi_pins_forget(mine, count);
}

/* Each step relies on what earlier steps have repaired. `tld`: this thread's; NULL: it has none. */
static void repair(mi_tld_t* tld) {
  bool others = mi_stat_current(threads) > (tld == NULL ? 0 : 1);
  mi_purger_hold(); /* no purger starts in the middle of this */
  mi_page_keys_forked();
  mi_fence_forked();

  /* Pins of lost threads: with them no segment would ever end. */
  forget_pins(tld);

  /* Segments and their pages. Most children have nothing to repair. */
  mi_huge_cache_forked();
  bool cut_off = mi_purge_was_cut_off() || others || mi_segments_need_repair();
  if (cut_off) {
    mi_segments_repair(mi_page_forget_other_thread);
    mi_segments_count_again(tld == NULL ? 0 : tld->stats.pages.current - tld->merged.pages.current);
  }

  /* Counts of abandoned segments, now that their marks are right; and a visit that was under
     way. */
  mi_abandoned_count_again();
  mi_abandoned_visit_forked();
  mi_subprocs_forked(tld == NULL ? NULL : &tld->segments);
  mi_stat_set(threads, tld == NULL ? 0 : 1);
  mi_arenas_in_forked_child();

  /* This thread's heaps. */
  mi_heap_t* heaps = tld == NULL ? NULL : tld->heaps;
  mi_retired_forked(heaps);
  for (mi_heap_t* heap = heaps; heap != NULL; heap = heap->next)
    mi_heap_delayed_free_in_child(heap);

  /* Blocks that lost threads had in their magazines, or had freed. They go into pages that are
     repaired. */
  mi_magazines_forked(tld == NULL ? NULL : &tld->backing);
  if (cut_off) {
    mi_heap_free_come_back();
    mi_segments_end_free_pages(mi_page_forget_if_free);
  }

  /* A lost thread may have been in the middle of a round: the next ones come soon. */
  mi_purge_forked();
  mi_scavenge_forked();
  mi_purger_forked();
}

void mi_process_in_forked_child(void) {
  mi_tld_t* tld = mi_heap_is_initialized(mi_heap_default) ? mi_heap_default->tld : NULL;
  mi_owner_lock_t* lock = tld == NULL ? NULL : tld->segments.lock;
  mi_owner_locks_forked(lock);
  if (lock != NULL) mi_owner_enter(lock);
  repair(tld);
  if (lock != NULL) mi_owner_leave(lock);
}
