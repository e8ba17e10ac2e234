/* free's fast path, inlined into mi_free and the overriding free. */
#ifndef MI_FREE_H
#define MI_FREE_H

#include <string.h>

#include "heap/retire.h"
#include "page/page.h"
#include "segment/guard.h"
#include "segment/page_map.h"

/* Frees p after all checks. For what the page map does not know (huge blocks, NULL, what is not
   ours), and for blocks handed out at an aligned address; in checked builds for every block. */
mi_noinline void mi_free_slow(void* p);

/* The page of p, after all checks. NULL if p is NULL, or was reported as misuse of `function`. */
mi_page_t* mi_checked_page_of(const char* function, const void* p);

/* The page in use in whose blocks p lies, or NULL. p may be anything. If p is stale, no other
   thread may be returning its memory to the system at this moment. */
mi_page_t* mi_living_page_of(const void* p);

/* The start of the block that was handed out as p. */
mi_inline mi_block_t* mi_block_of(const mi_page_t* page, void* p) {
  if (mi_likely((mi_page_flags(page) & MI_PAGE_HAS_ALIGNED) == 0)) return p;
  return mi_page_block_of(page, p);
}

/* True if p lies in a guarded block. */
mi_inline bool mi_is_guarded(const mi_page_t* page, const void* p) {
  return MI_GUARDED && mi_guarded_of(page, p).p != NULL;
}

/* The bytes from p to the end of its block; of a guarded or tracked block, those that were asked
   for. */
mi_inline size_t mi_usable_from(const mi_page_t* page, const void* p) {
  if (MI_TRACK) return mi_tracked_of(mi_page_block_of(page, p)).size;
  if (MI_GUARDED && mi_is_guarded(page, p)) return mi_guarded_of(page, p).size;
  return page->block_size -
         (size_t)((const uint8_t*)p - (const uint8_t*)mi_block_of(page, (void*)p));
}

/* Frees p, to which the page map gave `page`: p may be an address in its blocks, or not, and the
   page may be one that is not in use. */
mi_noinline void mi_free_in_page(void* p, mi_page_t* page);

/* The body of mi_free. */
mi_inline void mi_free_inline(void* p) {
  mi_page_t* page = mi_page_map_find(p);
  if (MI_CHECKED || mi_unlikely(page == NULL)) { /* NULL has no page */
    mi_free_slow(p);
    return;
  }
  if (mi_likely(mi_page_is_freer(page))) {
    mi_block_t* block = p;
    mi_block_set_next(page, block, page->local_free);
    page->local_free = block;
    /* The purger, after a fence of all threads, goes by `used` (page/scavenge.c). */
    atomic_signal_fence(memory_order_release);
    if (mi_unlikely(--page->used == 0) && page->retire_expire == 0) mi_page_retire(page);
    return;
  }
  mi_free_in_page(p, page);
}

#endif
