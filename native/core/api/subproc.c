/* Functions on sub-processes: groups of threads that do not take over each other's memory. */
#include "api/subproc.h"

#include <errno.h>

#include "heap/communal.h"
#include "heap/heap.h"
#include "heap/reclaim.h"
#include "options/report.h"
#include "segment/abandoned_visit.h"
#include "segment/owner_lock.h"
#include "segment/subproc.h"

mi_subproc_t* mi_subproc_accept(const char* function, mi_subproc_id_t id) {
  mi_subproc_t* subproc = mi_subproc_find(id);
  if (subproc == NULL) mi_error(EINVAL, "%s: %p is not a sub-process\n", function, id);
  return subproc;
}

mi_subproc_id_t mi_subproc_main(void) { return &mi_subproc_first; }

mi_subproc_id_t mi_subproc_new(void) {
  mi_subproc_t* made = mi_subproc_make();
  if (made == NULL) errno = ENOMEM;
  return made;
}

void mi_subproc_delete(mi_subproc_id_t id) {
  mi_subproc_t* subproc = mi_subproc_accept("subproc_delete", id);
  if (subproc == NULL || subproc == &mi_subproc_first) return;
  if (mi_abandoned_is_visiting()) {
    mi_error(EBUSY, "subproc_delete: called by a visitor of abandoned blocks\n");
  } else if (!mi_subproc_end(subproc, mi_heap_hand_over)) {
    mi_error(EBUSY, "subproc_delete: %p still has threads\n", id);
  }
}

/* Whether no block of the thread is alive. Gives back its empty pages. */
static bool is_unused(mi_tld_t* tld) {
  size_t pages = 0;
  bool unused = true;
  mi_owner_enter(tld->segments.lock);
  for (mi_heap_t* heap = tld->heaps; heap != NULL; heap = heap->next) {
    if (heap->visiting || mi_communal_has(heap)) unused = false;
    if (!unused) break;
    mi_heap_collect_pages(heap, true);
    pages += heap->page_count;
  }
  mi_owner_leave(tld->segments.lock);
  return unused && pages == 0;
}

void mi_subproc_add_current_thread(mi_subproc_id_t id) {
  mi_subproc_t* subproc = mi_subproc_accept("subproc_add_current_thread", id);
  mi_heap_t* heap = mi_heap_get_default();
  if (subproc == NULL || heap == NULL) return;
  mi_tld_t* tld = heap->tld;
  if (mi_subproc_of(&tld->segments) == subproc) return;
  if (tld->callback_heap != NULL || !is_unused(tld)) {
    mi_error(EBUSY, "subproc_add_current_thread: the thread has blocks already\n");
  } else if (!mi_subproc_enter(&tld->segments, subproc)) {
    mi_error(EINVAL, "subproc_add_current_thread: %p is being deleted\n", id);
  } else {
    for (heap = tld->heaps; heap != NULL; heap = heap->next) heap->segments->subproc = subproc;
  }
  mi_deliver_misuse();
}
