/* Plain allocation. */
#include <errno.h>

#include "api/alloc.h"

static void* alloc_generic(mi_heap_t* heap, mi_request_t request, bool zero) {
  mi_page_t* page = mi_heap_page_for(&heap, request);
  if (mi_unlikely(page == NULL)) {
    mi_deliver_misuse();
    mi_out_of_memory(request.size > MI_MAX_ALLOC_SIZE ? EOVERFLOW : ENOMEM, 1, request.size);
    return NULL;
  }
  void* p = mi_page_alloc(page, zero);
  mi_deliver_misuse();
  mi_assert_expensive(mi_heap_is_valid(heap));
  return p;
}

void* mi_alloc_slow_aligned(mi_heap_t* heap, mi_request_t request, bool zero) {
  /* Callbacks allocate too; an unwatched thread keeps its heap until the outermost call is done. */
  static _Thread_local unsigned depth;
  depth++;
  void* p = alloc_generic(heap, request, zero);
  depth--;
  if (mi_unlikely(mi_thread_is_unwatched()) && depth == 0) mi_thread_detach();
  return p;
}

void* mi_alloc_slow(mi_heap_t* heap, size_t size, bool zero) {
  mi_page_t* page = mi_heap_quick_page(heap, size);
  if (page != NULL) return mi_page_alloc(page, zero);
  return mi_alloc_slow_aligned(heap, (mi_request_t){size, 1, 0}, zero);
}

void* mi_malloc_slow(size_t size) { return mi_alloc_slow(mi_heap_default, size, false); }

void* mi_malloc_any(size_t size) { return mi_alloc(mi_heap_default, size, false); }

bool mi_count_bytes(size_t count, size_t size, size_t* total) {
  if (mi_likely(!mi_mul_overflow(count, size, total))) return true;
  mi_out_of_memory(EOVERFLOW, count, size);
  errno = ENOMEM;
  return false;
}

void* mi_malloc(size_t size) mi_attr_noexcept { return mi_malloc_inline(size); }
void* mi_zalloc(size_t size) mi_attr_noexcept { return mi_alloc(mi_heap_default, size, true); }
void* mi_malloc_small(size_t size) mi_attr_noexcept {
  return mi_alloc_small(mi_heap_default, size, false);
}
void* mi_zalloc_small(size_t size) mi_attr_noexcept {
  return mi_alloc_small(mi_heap_default, size, true);
}

void* mi_heap_malloc(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc(heap, size, false);
}
void* mi_heap_zalloc(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc(heap, size, true);
}
void* mi_heap_malloc_small(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc_small(heap, size, false);
}
void* mi_heap_zalloc_small(mi_heap_t* heap, size_t size) mi_attr_noexcept {
  return mi_alloc_small(heap, size, true);
}

void* mi_heap_calloc(mi_heap_t* heap, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_alloc(heap, total, true) : NULL;
}
void* mi_calloc(size_t count, size_t size) mi_attr_noexcept {
  return mi_heap_calloc(mi_heap_default, count, size);
}

void* mi_heap_mallocn(mi_heap_t* heap, size_t count, size_t size) mi_attr_noexcept {
  size_t total;
  return mi_count_bytes(count, size, &total) ? mi_alloc(heap, total, false) : NULL;
}
void* mi_mallocn(size_t count, size_t size) mi_attr_noexcept {
  return mi_heap_mallocn(mi_heap_default, count, size);
}

size_t mi_good_size(size_t size) mi_attr_noexcept {
  if (size <= MI_LARGE_BLOCK_MAX) return mi_bin_block_size(mi_bin_of(size));
  return size <= MI_MAX_ALLOC_SIZE ? mi_huge_good_size(size) : size;
}
