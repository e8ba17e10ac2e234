/* The process: its start and its end. */
#include "heap/process.h"

#include "heap/communal.h"
#include "heap/fork.h"
#include "heap/heap.h"
#include "heap/heaps.h"
#include "heap/purge.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "options/options.h"
#include "os/fence.h"
#include "segment/owner_lock.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/purger.h"
#include "segment/reserve.h"
#include "stats/stats.h"

static void prepare(void) {
  mi_stats_start();
  mi_options_read();
  if (mi_os_page_size() > MI_UNIT_SIZE) {
    mi_warning("pages of %zu bytes are larger than %zu: free memory cannot go back to the system\n",
               mi_os_page_size(), MI_UNIT_SIZE);
  }
  mi_chunk_map_prepare();
  mi_page_map_make();
  mi_purger_set_round(mi_process_purge_due);
  mi_os_helper_prepare();
  mi_os_register_thread_exit(mi_thread_at_exit);
  if (!mi_option_is_enabled(mi_option_allow_thp)) mi_os_forbid_large_pages();
  if (!MI_HARDENED && mi_option_is_enabled(mi_option_secure)) {
    mi_warning("option secure has no effect: this build is not hardened\n");
  }
  if (mi_option_is_enabled(mi_option_verbose)) {
    mi_message("version " MIHEAP_VERSION "\n");
    mi_options_print();
  }
  mi_reserve_as_options_say();
}

void mi_process_attach(void) {
  static _Atomic(uintptr_t) attaching; /* the id of the thread that does it */
  static _Atomic(bool) attached;
  if (mi_likely(atomic_load_explicit(&attached, memory_order_acquire))) return;
  uintptr_t nobody = 0;
  if (atomic_compare_exchange_strong(&attaching, &nobody, mi_os_thread_id())) {
    prepare();
    atomic_store_explicit(&attached, true, memory_order_release);
    return;
  }
  if (nobody == mi_os_thread_id()) return; /* an output callback of `prepare` allocates */
  for (unsigned round = 0; !atomic_load_explicit(&attached, memory_order_acquire); round++)
    mi_os_yield(round);
}

/* Runs before the constructors of the code that we are linked with: the destructors of that code
   may free, and run before ours then. The fork handler is registered here and not in `prepare`,
   which malloc may call: pthread_atfork may allocate while it holds its lock. */
__attribute__((constructor(101))) static void at_process_start(void) {
  mi_os_register_unload(mi_process_unload);
  mi_process_attach();
  mi_options_read(); /* the environment may not have been readable before */
  if (MI_GUARDED && mi_heap_is_initialized(mi_heap_default)) {
    mi_heap_sample_as_options_say(mi_heap_default);
  }
  mi_reserve_as_options_say();
  mi_os_register_fork_child(mi_process_in_forked_child);
#if defined(MI_OVERRIDE) /* else we may be loaded late, into a process with many threads */
  /* Programs that are killed for membarrier forbid the purger. */
  if (mi_option_is_enabled(mi_option_background_purge)) mi_fence_prepare_early();
#endif
  if (mi_option_is_enabled(mi_option_show_stats)) mi_os_keep_stderr();
}

/* Option destroy_on_exit: frees the blocks of this thread, except those that may be needed by code
   that runs later. Where malloc is ours (MI_OVERRIDE), that may be any block of the backing heap:
   the C library writes out its buffers after us. Blocks of other threads stay. */
static void destroy_heaps(void) {
  if (!mi_heap_is_initialized(mi_heap_default)) return;
  mi_tld_t* tld = mi_heap_default->tld;
  mi_heap_default = &tld->backing;
  mi_owner_enter(tld->segments.lock);
  while (tld->heaps != &tld->backing) {
    mi_heap_t* heap = tld->heaps;
    mi_heap_unlink(heap);
    mi_heap_free_pages(heap);
    mi_heap_free_memory(heap);
  }
#if !defined(MI_OVERRIDE)
  mi_heap_free_pages(&tld->backing);
  mi_communal_free_pages(&tld->backing);
#endif
  mi_heap_collect_pages(&tld->backing, true);
  mi_owner_leave(tld->segments.lock);
  mi_purge_all();
  mi_deliver_misuse();
}

static void finish(bool may_destroy) {
  static _Atomic(bool) finished;
  if (atomic_exchange(&finished, true)) return;
  if (may_destroy && mi_option_is_enabled(mi_option_destroy_on_exit)) destroy_heaps();
  if (!mi_option_is_enabled(mi_option_show_stats)) return;
  mi_thread_merge_stats();
  mi_stats_print_table(NULL, NULL);
}

void mi_process_finish(void) { finish(true); }

/* Runs after the program's own exit handlers, or when a library that we are part of is unloaded. */
__attribute__((destructor)) static void at_process_end(void) {
  mi_os_unregister_thread_exit();
  bool unloading = mi_os_destructors_run(); /* then destructors that free may still run */
  finish(!unloading);
}
