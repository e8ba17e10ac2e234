/* Allocation in builds with MI_GUARDED: some blocks end at memory without access
   (segment/guard.h). */
#include <errno.h>

#include "api/alloc.h"
#include "heap/request.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "segment/guard.h"

/* The largest size that is guarded, whatever guarded_max says: far below where sizes overflow. */
enum { GUARDED_MAX = 1 << 30 };

/* The heap to allocate from if the block is to be guarded; else NULL. Blocks of an unwatched thread
   never are: its pages are abandoned before they could be flagged. */
static mi_heap_t* sampled(mi_heap_t* heap, size_t size, size_t align) {
  if (size > GUARDED_MAX || align > mi_os_page_size()) return NULL;
  if (!mi_heap_is_initialized(heap)) heap = mi_heap_get_default();
  if (heap == NULL || mi_thread_is_unwatched() || !mi_heap_sample_next(heap, size)) return NULL;
  return heap;
}

static void* alloc_guarded(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  heap = sampled(heap, size, align);
  if (heap == NULL) return NULL;
  bool precise = mi_option_is_enabled(mi_option_guarded_precise);
  if (!precise && offset == 0 && (align == 1 || size >= MI_MAX_ALIGN) && align < MI_MAX_ALIGN) {
    align = MI_MAX_ALIGN;
  }
  size_t room = mi_guard_room(size, align);
  mi_request_t request = {.size = room, .align = 1, .spare = room - size};
  uint8_t* block = mi_malloc_generic(heap, &request, zero);
  if (block == NULL) return NULL;
  mi_page_t* page = mi_page_of(block);
  if (page->block_size < room) { /* memory is short: `spare` was left out */
    if (((uintptr_t)block + offset) % align == 0) return block;
    mi_free(block);
    return NULL;
  }
  uint8_t* p = mi_guard_place(page, block, size, align, offset);
  if (p == NULL) { /* too many mappings, or memory that cannot be protected in such small pieces */
    mi_free(block);
    return NULL;
  }
  /* The flag is set before any other thread gets p. */
  mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  return p;
}

void* mi_alloc_guarded(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  int saved = errno;
  void* p = alloc_guarded(heap, size, align, offset, zero);
  if (p == NULL) errno = saved; /* the caller allocates without a guard, and may succeed */
  return p;
}
