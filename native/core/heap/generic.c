/* malloc's slow path and its heartbeat. */
#include "heap/delayed.h"
#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/magazine_depth.h"
#include "heap/purge.h"
#include "heap/reclaim.h"
#include "heap/request.h"
#include "heap/retire.h"
#include "heap/thread.h"
#include "os/os.h"
#include "os/rare.h"
#include "segment/arena.h"
#include "segment/purge.h"
#include "stats/stats.h"

static _Atomic(mi_deferred_free_fun*) deferred_fun;
static _Atomic(void*) deferred_arg;

void mi_register_deferred_free(mi_deferred_free_fun* deferred_free, void* arg) mi_attr_noexcept {
  atomic_store(&deferred_arg, arg);
  atomic_store(&deferred_fun, deferred_free);
}

void mi_deferred_free(mi_heap_t* heap, bool force) {
  mi_tld_t* tld = heap->tld;
  tld->heartbeat++;
  mi_deferred_free_fun* fun = atomic_load_explicit(&deferred_fun, memory_order_acquire);
  if (mi_likely(fun == NULL) || tld->callback_heap != NULL) return;
  tld->callback_heap = heap; /* the callback may allocate, and get here again */
  fun(force, tld->heartbeat, atomic_load_explicit(&deferred_arg, memory_order_relaxed));
  tld->callback_heap = NULL;
}

/* Blocks between two heartbeats. Few, since a thread that allocates only now and then has to purge
   for threads that sleep. */
enum { QUICK_BLOCKS = 32 };

static void look_after_magazine(mi_heap_t* heap) {
  mi_magazine_fit(heap);
  bool due = !mi_magazine_is_watched(heap->magazine) && mi_purge_time(MI_PURGE_LOOKS) != 0;
  if (mi_unlikely(due)) mi_magazine_watch(heap->magazine);
}

void mi_heap_heartbeat(mi_heap_t* heap) {
  mi_tld_t* tld = heap->tld;
  heap->quick_blocks = QUICK_BLOCKS;
  tld->stats.slow_calls++;
  mi_deferred_free(heap, false);
  mi_heap_delayed_free(heap);
  if (heap->magazine != NULL) look_after_magazine(heap);
  mi_heap_age_retired(heap);
  if (mi_unlikely(tld->until_collect-- == 0)) {
    tld->until_collect = (int)mi_option_get(mi_option_generic_collect);
    mi_heap_collect_pages(heap, false);
    mi_thread_stats_merge(tld);
  }
  if (mi_rare(mi_rare_collect)) {
    mi_deferred_free(heap, true);
    mi_heap_collect_pages(heap, true);
  }
  (void)mi_process_purge_some();
}

static bool is_huge(const mi_request_t* request) {
  return request->size > MI_LARGE_BLOCK_MAX || request->align > 1;
}

static mi_page_t* find(mi_heap_t* heap, const mi_request_t* request) {
  if (mi_unlikely(is_huge(request))) return mi_heap_huge_page(heap, request);
  return mi_heap_find_page(heap, mi_bin_of(request->size));
}

/* A page with any free block that is large enough, of the right class or not. */
static mi_page_t* find_any(mi_heap_t* heap, const mi_request_t* request) {
  mi_page_t* page = find(heap, request);
  if (page != NULL || is_huge(request)) return page;
  return mi_heap_borrow_any(heap, mi_bin_of(request->size));
}

/* Tries again for as long as the option retry_on_oom says, in ms: another thread, or another
   process, may give memory back. */
static mi_page_t* retry(mi_heap_t* heap, const mi_request_t* request) {
  int64_t until = mi_os_now() + mi_option_get(mi_option_retry_on_oom);
  mi_page_t* page = NULL;
  for (unsigned round = 0; page == NULL && mi_os_now() < until; round++) {
    mi_os_yield(round);
    mi_heap_collect_pages(heap, true);
    page = find_any(heap, request);
  }
  return page;
}

/* Tries again while other threads purge. Memory that another thread is just giving back to the
   system cannot be had now, but soon; nor can a page of ours that it is looking through, and will
   put back. Waiting helps only a block that may lie in slots, and outside of arenas no run of slots
   is longer than a chunk. */
static mi_page_t* find_beside_purges(mi_heap_t* heap, const mi_request_t* request) {
  enum { PATIENCE = 50 }; /* ms */
  int64_t until =
      request->size > MI_CHUNK_SIZE && mi_arena_count() == 0 ? 0 : mi_os_now() + PATIENCE;
  for (unsigned round = 0;; round++) {
    uint64_t mark = mi_purge_mark();
    mi_page_t* page = find_any(heap, request);
    if (page != NULL || !mi_purge_ran_since(mark) || mi_os_now() >= until) return page;
    mi_os_yield(round);
    mi_heaps_collect_pages(heap->tld, true);
  }
}

/* Out of memory: frees what can be freed, and tries once more. */
static mi_cold mi_page_t* find_at_last(mi_heap_t* heap, const mi_request_t* request) {
  mi_deferred_free(heap, true);
  mi_heaps_collect_pages(heap->tld, true);
  if (heap->segments->arena == NULL) {
    mi_process_purge_all();
  } else {
    mi_heap_reclaim_arena(heap, !is_huge(request));
  }
  mi_page_t* page = find_beside_purges(heap, request);
  if (page == NULL) page = retry(heap, request);
  if (page == NULL) mi_set_no_memory();
  return page;
}

mi_page_t* mi_heap_page_for(mi_heap_t* heap, const mi_request_t* request) {
  if (mi_unlikely(request->size > MI_MAX_ALLOC_SIZE)) {
    mi_set_no_memory();
    return NULL;
  }
  mi_heap_heartbeat(heap);
  mi_page_t* page = find(heap, request);
  if (mi_likely(page != NULL)) return page;
  mi_request_t least = *request;
  least.size -= request->spare;
  if (request->spare > 0) page = find(heap, &least);
  return page != NULL ? page : find_at_last(heap, &least);
}
