/* The heaps that a program makes. */
#include "api/heap.h"

#include "api/alloc.h"
#include "heap/heap.h"
#include "heap/heaps.h"
#include "heap/purge.h"
#include "heap/reclaim.h"
#include "heap/request.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "segment/arena.h"
#include "segment/owner_lock.h"

mi_heap_t* mi_heap_new_ex(int heap_tag, bool allow_destroy, mi_arena_id_t arena_id) {
  mi_arena_t* arena = mi_arena_with_id(arena_id);
  if (heap_tag < 0 || heap_tag > UINT8_MAX || (arena == NULL && arena_id != 0)) {
    mi_error(EINVAL, "heap_new_ex: there is no tag %d, or no arena %d\n", heap_tag, arena_id);
    errno = EINVAL;
    return NULL;
  }
  mi_heap_t* backing = mi_heap_get_backing();
  if (backing == NULL) return NULL;
  mi_heap_t* heap = mi_alloc_aligned(backing, sizeof(mi_heap_t), _Alignof(mi_heap_t), 0, false);
  if (heap == NULL) return NULL;
  mi_heap_init(heap, backing->tld, (uint8_t)heap_tag, allow_destroy, arena);
  return heap;
}

mi_heap_t* mi_heap_new(void) mi_attr_noexcept { return mi_heap_new_ex(0, true, 0); }

bool mi_heap_accept(const char* function, const mi_heap_t* heap) {
  if (heap == NULL) return false;
  if (mi_heap_is_mine(heap)) return true;
  mi_misuse(EINVAL, "%s: %p is not a heap of this thread\n", function, (const void*)heap);
  return false;
}

mi_heap_t* mi_heap_new_in_arena(mi_arena_id_t arena_id) mi_attr_noexcept {
  return mi_heap_new_ex(0, true, arena_id);
}

/* Takes the heap off its thread's list. False, after a report, if this thread may not end it. */
static bool unlink_heap(mi_heap_t* heap, const char* function) {
  if (!mi_heap_accept(function, heap)) return false;
  mi_tld_t* tld = heap->tld;
  if (heap == &tld->backing) {
    mi_misuse(EINVAL, "%s: %p is the backing heap of this thread\n", function, (void*)heap);
    return false;
  }
  if (heap == tld->callback_heap || heap->visiting) {
    mi_misuse(EINVAL, "%s: heap %p is in use by the caller of this callback\n", function,
              (void*)heap);
    return false;
  }
  mi_heap_unlink(heap);
  if (mi_heap_default == heap) mi_heap_default = &tld->backing;
  return true;
}

/* Ends a heap that is off its thread's list: its blocks die with it, or live on elsewhere. */
static void end_heap(mi_heap_t* heap, bool with_blocks) {
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_owner_enter(lock);
  if (with_blocks) {
    mi_heap_free_pages(heap);
  } else if (mi_heap_is_restricted(heap)) {
    mi_heap_abandon(heap);
  } else {
    /* Empty pages go now: otherwise the target would keep some of each heap that ends. */
    mi_heap_collect_pages(heap, true);
    mi_heap_t* target = mi_heap_for_tag(heap->tld, heap->tag);
    mi_heap_retag(heap, target->tag);
    mi_heap_absorb(target, heap);
  }
  mi_heap_free_memory(heap);
  mi_owner_leave(lock);
  mi_deliver_misuse();
}

void mi_heap_delete(mi_heap_t* heap) mi_attr_noexcept {
  if (unlink_heap(heap, "heap_delete")) end_heap(heap, false);
}

void mi_heap_destroy(mi_heap_t* heap) mi_attr_noexcept {
  if (unlink_heap(heap, "heap_destroy")) end_heap(heap, heap->allow_destroy);
}

mi_heap_t* mi_heap_get_default(void) mi_attr_noexcept {
  if (mi_thread_is_unwatched()) { /* no heap of such a thread outlives a call */
    errno = ENOMEM;
    return NULL;
  }
  mi_heap_t* heap = mi_heap_get();
  if (heap == NULL || !mi_thread_is_unwatched()) return heap;
  mi_thread_detach(); /* making the heap found out that it is unwatched */
  errno = ENOMEM;
  return NULL;
}

mi_heap_t* mi_heap_get_backing(void) mi_attr_noexcept {
  mi_heap_t* heap = mi_heap_get_default();
  return heap == NULL ? NULL : &heap->tld->backing;
}

mi_heap_t* mi_heap_set_default(mi_heap_t* heap) mi_attr_noexcept {
  mi_heap_t* previous = mi_heap_get_default();
  if (heap == NULL || previous == NULL) return previous;
  if (mi_heap_accept("heap_set_default", heap)) mi_heap_default = heap;
  return previous;
}

void mi_heap_collect(mi_heap_t* heap, bool force) mi_attr_noexcept {
  if (!mi_heap_accept("heap_collect", heap)) return;
  mi_owner_lock_t* lock = heap->segments->lock;
  mi_owner_enter(lock);
  mi_deferred_free(heap, force);
  mi_heap_collect_pages(heap, force);
  mi_owner_leave(lock);
  if (force) mi_process_purge_all();
  mi_deliver_misuse();
}

void mi_heap_guarded_set_sample_rate(mi_heap_t* heap, size_t sample_rate, size_t seed) {
#if MI_GUARDED
  if (mi_heap_accept("heap_guarded_set_sample_rate", heap)) mi_heap_sample(heap, sample_rate, seed);
#else
  (void)heap, (void)sample_rate, (void)seed;
#endif
}

void mi_heap_guarded_set_size_bound(mi_heap_t* heap, size_t min, size_t max) {
#if MI_GUARDED
  if (mi_heap_accept("heap_guarded_set_size_bound", heap)) mi_heap_sample_sizes(heap, min, max);
#else
  (void)heap, (void)min, (void)max;
#endif
}
