/* Allocation in builds for valgrind and AddressSanitizer: every block has gaps around the caller's
   bytes, and comes from the slow path. */
#include <errno.h>

#include "api/alloc.h"
#include "heap/request.h"

void* mi_alloc_tracked(mi_heap_t* heap, size_t size, size_t align, size_t offset, bool zero) {
  if (size > MI_MAX_ALLOC_SIZE) {
    return mi_malloc_generic(heap, &(mi_request_t){.size = size, .align = align, .offset = offset},
                             zero);
  }
  size_t total;
  if (align < MI_MAX_ALIGN && offset == 0) align = MI_MAX_ALIGN;
  if (__builtin_add_overflow(size + (size_t)2 * MI_TRACK_GAP, align, &total)) {
    mi_out_of_memory(ENOMEM, 1, size);
    errno = ENOMEM;
    return NULL;
  }
  mi_request_t request = {.size = total, .align = 1};
  if (total > MI_LARGE_BLOCK_MAX) {
    request = (mi_request_t){
        .size = size + (size_t)2 * MI_TRACK_GAP, .align = align, .offset = offset + MI_TRACK_GAP};
  }
  uint8_t* block = mi_malloc_generic(heap, &request, false);
  if (block == NULL) return NULL;
  uint8_t* p = block + MI_TRACK_GAP;
  p = (uint8_t*)(mi_align_up((uintptr_t)p + offset, align) - offset);
  mi_track_malloc((mi_block_t*)block, p, size, zero);
  return p;
}
