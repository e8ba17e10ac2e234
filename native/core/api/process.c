/* Functions on the process and on the calling thread. */
#include <stdlib.h>

#include "heap/heap.h"
#include "heap/process.h"
#include "heap/purge.h"
#include "heap/reclaim.h"
#include "heap/request.h"
#include "heap/thread.h"
#include "options/report.h"
#include "os/os.h"
#include "segment/abandoned.h"
#include "segment/abandoned_visit.h"
#include "segment/owner_lock.h"
#include "stats/stats.h"

int mi_version(void) mi_attr_noexcept { return MI_MALLOC_VERSION; }

#if defined(MI_OVERRIDE)
/* Whether the malloc of the process is ours: a library that was opened later does not replace it.
   The address of malloc does not tell, since it may be that of a stub in the program. So malloc is
   asked for a block. */
static mi_cold bool malloc_is_ours(void) {
  void* (*allocate)(size_t);
  void (*release)(void*);
  *(void**)&allocate = mi_os_symbol("malloc");
  *(void**)&release = mi_os_symbol("free");
  if (allocate == NULL || release == NULL) { /* a static program: it has only one malloc */
    allocate = malloc;
    release = free;
  }
  void* p = allocate(1);
  bool ours = mi_is_in_heap_region(p);
  release(p);
  return ours;
}
#endif

bool mi_is_redirected(void) mi_attr_noexcept {
#if defined(MI_OVERRIDE)
  return malloc_is_ours();
#else
  return false;
#endif
}

void mi_process_init(void) mi_attr_noexcept { mi_process_attach(); }

void mi_process_done(void) mi_attr_noexcept { mi_process_finish(); }

void mi_thread_init(void) mi_attr_noexcept { mi_heap_get_default(); }

void mi_thread_set_in_threadpool(void) mi_attr_noexcept {}

/* Whether a heap of the thread is being visited. */
static bool is_visiting(const mi_tld_t* tld) {
  const mi_heap_t* heap = tld->heaps;
  while (heap != NULL && !heap->visiting) heap = heap->next;
  return heap != NULL;
}

/* Whether a callback of the program is running, in the middle of a call on the thread's heaps. */
static bool in_callback(const mi_tld_t* tld) {
  return tld->callback_heap != NULL || is_visiting(tld) || mi_abandoned_is_visiting() ||
         mi_in_report_callback();
}

void mi_thread_done(void) mi_attr_noexcept {
  mi_heap_t* heap = mi_heap_default;
  if (mi_heap_is_initialized(heap) && in_callback(heap->tld)) return;
  mi_thread_detach();
  mi_deliver_misuse();
}

void mi_collect(bool force) mi_attr_noexcept {
  mi_heap_t* heap = mi_heap_default;
  /* Only a heap can adopt what ended threads left. */
  if (force && mi_abandoned_total() > 0) heap = mi_heap_get_default();
  if (heap != NULL && mi_heap_is_initialized(heap)) {
    mi_owner_lock_t* lock = heap->segments->lock;
    mi_owner_enter(lock);
    mi_deferred_free(heap, force);
    if (force) mi_heap_reclaim_all(heap);
    mi_heaps_collect_pages(heap->tld, force);
    mi_owner_leave(lock);
  }
  if (force) {
    mi_process_purge_all();
  } else {
    mi_process_purge_due();
  }
  mi_deliver_misuse();
}

/* Abandons what the thread has, if it is too much. A segment is abandoned as a whole, so this needs
   a thread with one heap, whose pages alone are in it. */
void mi_collect_reduce(size_t target_thread_owned) mi_attr_noexcept {
  mi_collect(true);
  mi_heap_t* heap = mi_heap_default;
  if (!mi_heap_is_initialized(heap)) return;
  mi_tld_t* tld = heap->tld;
  if (tld->segments.count <= target_thread_owned / MI_SEGMENT_SIZE) return;
  if (tld->heaps == &tld->backing && !in_callback(tld)) {
    mi_owner_enter(tld->segments.lock);
    mi_heap_abandon(&tld->backing);
    mi_owner_leave(tld->segments.lock);
  }
  mi_deliver_misuse();
}

static void set(size_t* place, size_t value) {
  if (place != NULL) *place = value;
}

void mi_process_info(size_t* elapsed_msecs, size_t* user_msecs, size_t* system_msecs,
                     size_t* current_rss, size_t* peak_rss, size_t* current_commit,
                     size_t* peak_commit, size_t* page_faults) mi_attr_noexcept {
  mi_process_info_t info;
  mi_os_process_info(&info);
  set(elapsed_msecs, mi_stats_elapsed_ms());
  set(user_msecs, info.user_ms);
  set(system_msecs, info.system_ms);
  set(current_rss, info.rss);
  set(peak_rss, info.peak_rss);
  set(current_commit, (size_t)mi_stat_current(committed));
  set(peak_commit,
      (size_t)atomic_load_explicit(&mi_process_stats.committed.peak, memory_order_relaxed));
  set(page_faults, info.page_faults);
}
