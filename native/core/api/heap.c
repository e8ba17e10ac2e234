/* First-class heaps. */
#include "api/alloc.h"
#include "api/free.h"
#include "segment/purge.h"

mi_heap_t* mi_heap_new(void) mi_attr_noexcept {
  mi_heap_t* backing = mi_heap_get_backing();
  if (backing == NULL) return NULL;
  mi_heap_t* heap = mi_alloc_aligned(backing, sizeof(mi_heap_t), _Alignof(mi_heap_t), 0, false);
  if (heap != NULL) mi_heap_init(heap, backing->tld);
  return heap;
}

/* Takes the heap off its thread's list. False, after a report, if this thread may not end it. */
static bool unlink_heap(mi_heap_t* heap, const char* function) {
  if (heap == NULL) return false;
  mi_tld_t* tld = mi_heap_is_initialized(mi_heap_default) ? mi_heap_default->tld : NULL;
  if (tld == NULL || heap == &tld->backing || heap == tld->callback_heap) {
    mi_misuse(EINVAL, "%s: heap %p is a backing heap, in use, or not of this thread\n", function,
              (void*)heap);
    return false;
  }
  mi_heap_t** link = &tld->heaps;
  while (*link != NULL && *link != heap) link = &(*link)->next;
  if (*link == NULL) {
    mi_misuse(EINVAL, "%s: %p is not a heap of this thread\n", function, (void*)heap);
    return false;
  }
  *link = heap->next;
  if (mi_heap_default == heap) mi_heap_default = &tld->backing;
  return true;
}

void mi_heap_delete(mi_heap_t* heap) mi_attr_noexcept {
  if (!unlink_heap(heap, "heap_delete")) return;
  mi_heap_absorb(&mi_heap_default->tld->backing, heap);
  mi_heap_free_memory(heap);
}

void mi_heap_destroy(mi_heap_t* heap) mi_attr_noexcept {
  if (!unlink_heap(heap, "heap_destroy")) return;
  mi_heap_free_pages(heap);
  mi_heap_free_memory(heap);
}

mi_heap_t* mi_heap_get_default(void) mi_attr_noexcept {
  if (mi_thread_is_unwatched()) { /* it has no heap that outlives a call */
    errno = ENOMEM;
    return NULL;
  }
  return mi_heap_get();
}

mi_heap_t* mi_heap_get_backing(void) mi_attr_noexcept {
  mi_heap_t* heap = mi_heap_get_default();
  return heap == NULL ? NULL : &heap->tld->backing;
}

mi_heap_t* mi_heap_set_default(mi_heap_t* heap) mi_attr_noexcept {
  mi_heap_t* previous = mi_heap_get_default();
  if (heap == NULL || previous == NULL) return previous;
  if (heap->thread_id != mi_os_thread_id()) {
    mi_misuse(EINVAL, "heap_set_default: heap %p is not of this thread\n", (void*)heap);
    return previous;
  }
  mi_heap_default = heap;
  return previous;
}

void mi_heap_collect(mi_heap_t* heap, bool force) mi_attr_noexcept {
  if (heap == NULL || !mi_heap_is_initialized(heap)) return;
  mi_heap_collect_pages(heap, force);
  if (force) mi_purge_all();
}
