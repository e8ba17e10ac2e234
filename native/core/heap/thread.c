/* Threads: their heaps begin with the first allocation, and end with the thread. */
#include "heap/thread.h"

#include <errno.h>
#include <string.h>

#include "heap/communal.h"
#include "heap/heap.h"
#include "heap/heaps.h"
#include "heap/magazine.h"
#include "heap/process.h"
#include "heap/reclaim.h"
#include "segment/abandoned_visit.h"
#include "segment/memory.h"
#include "segment/owner_lock.h"
#include "segment/purge.h"
#include "segment/subproc.h"
#include "stats/stats.h"

/* ---- What a thread sees before it has anything ---- */

static mi_page_t empty_page; /* its `free` is empty for ever */

const mi_heap_t mi_heap_empty = {
    .pages_free_direct = {[0 ... MI_DIRECT_COUNT - 1] = &empty_page},
};

/* The heap is written only through a pointer that mi_heap_is_initialized has accepted. */
_Thread_local mi_heap_t* mi_heap_default = (mi_heap_t*)&mi_heap_empty;

/* How often our exit handler has run in this thread: once in each round, from the first one on in
   which the thread had a heap. */
static _Thread_local unsigned exit_rounds;
/* Our exit handler will not run again in this thread, or not at all. */
static _Thread_local bool unwatched;

_Thread_local unsigned mi_thread_calls;

_Thread_local int mi_errno_before;

void mi_set_no_memory(void) {
  mi_errno_before = errno;
  errno = ENOMEM;
}

bool mi_thread_is_unwatched(void) { return unwatched; }

void mi_thread_end_call(void) {
  mi_thread_calls--;
  if (mi_unlikely(unwatched) && mi_thread_calls == 0) mi_thread_detach();
}

/* ---- Memory for mi_tld_t ----
   The first thread's is static. What ended threads had is kept for new threads. */

enum { CACHE_SIZE = 64 };

static mi_tld_t first_tld;
static _Atomic(bool) first_tld_taken;
static _Atomic(mi_tld_t*) cache[CACHE_SIZE];

static size_t tld_size(void) { return mi_align_up(sizeof(mi_tld_t), mi_os_page_size()); }

static mi_tld_t* tld_alloc(void) {
  if (!atomic_exchange_explicit(&first_tld_taken, true, memory_order_relaxed)) return &first_tld;
  for (int i = 0; i < CACHE_SIZE; i++) {
    if (atomic_load_explicit(&cache[i], memory_order_relaxed) == NULL) continue;
    /* Acquire: pairs with the release in tld_free. */
    mi_tld_t* tld = atomic_exchange_explicit(&cache[i], NULL, memory_order_acquire);
    if (tld == NULL) continue;
    memset(tld, 0, sizeof(*tld));
    return tld;
  }
  return mi_memory_map(tld_size(), MI_WORD_SIZE, MI_MAP_MEMORY);
}

static void tld_free(mi_tld_t* tld) {
  for (int i = 0; i < CACHE_SIZE; i++) {
    mi_tld_t* empty = NULL;
    if (atomic_compare_exchange_strong_explicit(&cache[i], &empty, tld, memory_order_release,
                                                memory_order_relaxed)) {
      return;
    }
  }
  if (tld != &first_tld) mi_memory_unmap(tld, tld_size());
}

/* ---- Attach and detach ---- */

static mi_tld_t* tld_begin(void) {
  mi_tld_t* tld = tld_alloc();
  if (tld == NULL) return NULL;
  tld->segments.lock = mi_owner_lock_begin();
  if (mi_likely(tld->segments.lock != NULL)) return tld;
  tld_free(tld);
  return NULL;
}

static void tld_end(mi_tld_t* tld) {
  mi_owner_lock_end(tld->segments.lock);
  tld_free(tld);
}

/* Asks for the next round even if nothing may be left to do: only so it knows which round is the
   last. */
void mi_thread_at_exit(void) {
  mi_thread_calls = 0; /* a callback that ends its thread does not return */
  if (++exit_rounds >= MI_OS_EXIT_ROUNDS || !mi_os_thread_at_exit()) unwatched = true;
  mi_thread_detach();
  mi_deliver_misuse();
}

void mi_thread_merge_stats(void) {
  if (mi_heap_is_initialized(mi_heap_default)) mi_thread_stats_merge(mi_heap_default->tld);
}

mi_heap_t* mi_heap_get(void) {
  if (mi_likely(mi_heap_is_initialized(mi_heap_default))) return mi_heap_default;
  mi_process_attach();
  if (mi_heap_is_initialized(mi_heap_default)) return mi_heap_default; /* a callback allocated */
  mi_tld_t* tld = tld_begin();
  if (tld == NULL) {
    mi_set_no_memory();
    return NULL;
  }
  tld->until_collect = (int)mi_option_get(mi_option_generic_collect);
  mi_heap_init(&tld->backing, tld, 0, false, NULL);
  mi_heap_default = &tld->backing;
  mi_stat_up(threads, 1);
  if (!unwatched && !mi_os_thread_at_exit())
    unwatched = true; /* mi_os_thread_at_exit may allocate: the heap is ready */
  return mi_heap_default;
}

static void end_heaps(mi_tld_t* tld) {
  mi_owner_enter(tld->segments.lock); /* until the lock ends */
  /* A visitor that ends its thread does not return. */
  tld->backing.visiting = false;
  if (mi_abandoned_is_visiting()) mi_abandoned_break_off();
  if (mi_unlikely(tld->visited_communal != NULL)) mi_communal_break_off(tld);
  while (tld->heaps != &tld->backing) {
    mi_heap_t* heap = tld->heaps;
    mi_heap_unlink(heap);
    heap->visiting = false;
    if (mi_heap_is_restricted(heap)) {
      mi_heap_abandon(heap);
    } else {
      mi_heap_absorb(&tld->backing, heap);
    }
    mi_heap_free_memory(heap);
  }
  mi_heap_abandon(&tld->backing);
  mi_magazine_end(&tld->backing);
  mi_assert(tld->segments.count == 0);
  mi_subproc_enter(&tld->segments, &mi_subproc_first);
  mi_thread_stats_merge(tld);
  mi_stat_down(threads, 1);
}

void mi_thread_detach(void) {
  if (!mi_heap_is_initialized(mi_heap_default)) return;
  mi_tld_t* tld = mi_heap_default->tld;
  mi_heap_default = &tld->backing;
  end_heaps(tld);
  mi_heap_default = (mi_heap_t*)&mi_heap_empty;
  tld_end(tld);
  if (mi_option_is_enabled(mi_option_abandoned_page_purge)) mi_purge_all();
}

void mi_thread_detach_other(mi_tld_t* tld) {
  end_heaps(tld);
  tld_end(tld);
}

void mi_thread_cache_unmap(void) {
  for (int i = 0; i < CACHE_SIZE; i++) {
    mi_tld_t* tld = atomic_exchange_explicit(&cache[i], NULL, memory_order_acquire);
    if (tld != NULL && tld != &first_tld) mi_memory_unmap(tld, tld_size());
  }
}
