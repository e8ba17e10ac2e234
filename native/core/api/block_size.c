/* Functions that allocate or free, and tell the size of the block. */
#include "api/free.h"

/* What the block of p takes in its page; of a tracked or guarded one, its usable size. */
static size_t size_of(const mi_page_t* page, const void* p) {
  return MI_TRACK || mi_is_guarded(page, p) ? mi_usable_from(page, p) : page->block_size;
}

/* Sets *block_size for a new block p. Returns p. */
static void* tell(void* p, size_t* block_size) {
  if (p != NULL && block_size != NULL) *block_size = size_of(mi_page_of(p), p);
  return p;
}

/* Sets *block_size for a pointer that the caller passed: 0 for NULL, and for what is no block of
   miheap. */
static void tell_old(const void* p, size_t* block_size) {
  if (block_size == NULL) return;
  const mi_page_t* page = mi_living_page_of(p);
  *block_size = page == NULL ? 0 : size_of(page, p);
}

void* mi_umalloc(size_t size, size_t* block_size) mi_attr_noexcept {
  return tell(mi_malloc(size), block_size);
}
void* mi_ucalloc(size_t count, size_t size, size_t* block_size) mi_attr_noexcept {
  return tell(mi_calloc(count, size), block_size);
}
void* mi_umalloc_small(size_t size, size_t* block_size) mi_attr_noexcept {
  return tell(mi_malloc_small(size), block_size);
}
void* mi_uzalloc_small(size_t size, size_t* block_size) mi_attr_noexcept {
  return tell(mi_zalloc_small(size), block_size);
}
void* mi_umalloc_aligned(size_t size, size_t alignment, size_t* block_size) mi_attr_noexcept {
  return tell(mi_malloc_aligned(size, alignment), block_size);
}
void* mi_uzalloc_aligned(size_t size, size_t alignment, size_t* block_size) mi_attr_noexcept {
  return tell(mi_zalloc_aligned(size, alignment), block_size);
}

void* mi_urealloc(void* p, size_t newsize, size_t* block_size_pre, size_t* block_size_post)
    mi_attr_noexcept {
  tell_old(p, block_size_pre);
  return tell(mi_realloc(p, newsize), block_size_post);
}

void mi_ufree(void* p, size_t* block_size) mi_attr_noexcept {
  tell_old(p, block_size);
  mi_free(p);
}
