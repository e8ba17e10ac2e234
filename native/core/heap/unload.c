/* The end of a copy of miheap in a process that goes on: dlclose of a library that we are linked
   into. Its code is about to be unmapped, so no thread is inside of it or will be again, and we may
   do what otherwise only a heap's own thread may. Blocks that are alive then stay readable and
   writable for ever, and cannot be freed. */
#include "heap/heap.h"
#include "heap/magazine_sweep.h"
#include "heap/process.h"
#include "heap/reclaim.h"
#include "heap/thread.h"
#include "segment/other_threads.h"
#include "segment/owner_lock.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/purger.h"

static void end_owner(mi_segment_t* segment) {
  for (uint64_t pages = mi_segment_pages(segment); pages != 0; pages &= pages - 1) {
    mi_page_t* page = &segment->pages[mi_ctz64(pages)];
    mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_relaxed);
    if (heap == NULL) continue;
    mi_thread_detach_other(heap->tld); /* this lets go of the segment */
    return;
  }
}

static void free_huge(mi_segment_t* segment, void* arg) {
  (void)arg;
  if (mi_segment_is_huge(segment)) mi_huge_page_free(&segment->pages[0]);
}

void mi_process_unload(void) {
  bool destroy = mi_option_is_enabled(mi_option_destroy_on_exit);
  mi_purger_end();
  mi_register_deferred_free(NULL, NULL); /* the callback may be in the same library */
  mi_thread_detach();
  mi_segments_for_each_of_others(end_owner);
  mi_subprocs_end(mi_heap_hand_over);
  mi_heap_hand_over(&mi_subproc_communal);
  mi_heap_t* heap = mi_heap_get();
  if (heap != NULL) {
    mi_owner_enter(heap->segments->lock);
    mi_heap_reclaim_all(heap);
    if (destroy) mi_heap_free_pages(heap);
    mi_heap_collect_pages(heap, true);
    mi_owner_leave(heap->segments->lock);
    mi_thread_detach();
    mi_deliver_misuse();
  }
  if (destroy) mi_huge_for_each(free_huge, NULL);
  mi_purge_all();
  mi_thread_cache_unmap();
  mi_magazines_unmap();
  mi_owner_locks_unmap();
  mi_segment_table_unmap();
  mi_chunk_directory_unmap();
  mi_page_map_unmap();
}
