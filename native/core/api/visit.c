/* Functions that show the blocks of heaps, and tell whose a block is. */
#include "heap/visit.h"

#include "api/free.h"
#include "api/heap.h"
#include "api/subproc.h"
#include "heap/communal.h"
#include "heap/thread.h"
#include "segment/owner_lock.h"

bool mi_heap_visit_blocks(const mi_heap_t* heap, bool visit_blocks, mi_block_visit_fun* visitor,
                          void* arg) {
  if (visitor == NULL || !mi_heap_accept("heap_visit_blocks", heap)) return false;
  if (heap->visiting) {
    mi_misuse(EINVAL, "heap_visit_blocks: heap %p is being visited\n", (const void*)heap);
    return false;
  }
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_owner_enter(lock);
  /* Cast away: the caller does not see what a visit changes in the heap. */
  bool all = mi_heap_visit((mi_heap_t*)heap, &(mi_visit_t){visitor, arg, visit_blocks});
  mi_owner_leave(lock);
  mi_deliver_misuse();
  return all;
}

bool mi_heap_contains_block(mi_heap_t* heap, const void* p) {
  if (!mi_heap_accept("heap_contains_block", heap)) return false;
  mi_page_t* page = mi_living_page_of(p);
  if (page == NULL || !mi_heap_has_page(heap, page)) return false;
  mi_owner_enter(heap->segments->lock);
  bool holds = mi_page_holds(page, p);
  mi_owner_leave(heap->segments->lock);
  return holds;
}

bool mi_heap_check_owned(mi_heap_t* heap, const void* p) {
  return mi_heap_accept("heap_check_owned", heap) && mi_heap_holds(heap, p);
}

bool mi_check_owned(const void* p) {
  mi_heap_t* heap = mi_heap_default;
  return mi_heap_is_initialized(heap) && mi_heap_holds(heap, p);
}

bool mi_abandoned_visit_blocks(mi_subproc_id_t subproc_id, int heap_tag, bool visit_blocks,
                               mi_block_visit_fun* visitor, void* arg) {
  if (visitor == NULL) return false;
  mi_subproc_t* subproc = mi_subproc_accept("abandoned_visit_blocks", subproc_id);
  if (subproc == NULL) return false;
  if (!mi_option_is_enabled(mi_option_visit_abandoned)) {
    mi_error(EINVAL, "abandoned_visit_blocks: the option visit_abandoned is off\n");
    return false;
  }
  if (mi_abandoned_is_visiting()) {
    mi_error(EINVAL, "abandoned_visit_blocks: called by a visitor of abandoned blocks\n");
    return false;
  }
  /* Only if the thread has a heap is its end noticed, which then ends the visit. */
  if (mi_heap_get_default() == NULL) return false;
  return mi_abandoned_visit(subproc, heap_tag, &(mi_visit_t){visitor, arg, visit_blocks});
}
