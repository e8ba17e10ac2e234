/* From a block to its page with two loads and no question about the segment: the way that free
   goes.

   The table has an entry for each unit of a window of the address space, in which the system puts
   nearly everything that it maps for us. The entry names the page whose blocks lie in that unit, or
   a page that no thread may free into. The window is half above and half below the place of the
   table itself. What lies outside is found through segment/map.h. */
#ifndef MI_PAGE_MAP_H
#define MI_PAGE_MAP_H

#include "types.h"

/* An entry is the distance of its page from the table. The entry of a unit without a page is 0, so
   the table begins with a page that is all zero. Set once, before the process has its first block.
   Three variables, since a structure costs an instruction to find. */
extern mi_hidden uint8_t* mi_page_map;
extern mi_hidden uintptr_t mi_page_map_start; /* of the window */
extern mi_hidden size_t mi_page_map_units;    /* in the window; 0: there is no table */

mi_inline _Atomic(uintptr_t)* mi_page_map_entries(void) {
  return (_Atomic(uintptr_t)*)(mi_page_map + sizeof(mi_page_t));
}

/* The unit of the window that holds p, which may be anything. mi_page_map_units or more: none
   does. */
mi_inline size_t mi_page_map_unit(const void* p) {
  return ((uintptr_t)p - mi_page_map_start) >> MI_UNIT_SHIFT;
}

/* The page whose blocks are in a unit of the window; if there is none, a page without `freer`.
   Relaxed: a thread that got a block from another thread got the entry with it. */
mi_inline mi_page_t* mi_page_map_at(size_t unit) {
  uintptr_t entry = atomic_load_explicit(&mi_page_map_entries()[unit], memory_order_relaxed);
  /* The page may lie below the table. */
  mi_page_t* page = (mi_page_t*)((uintptr_t)mi_page_map + entry);
  if (page == NULL) mi_unreachable(); /* spares the callers' tests */
  return page;
}

/* The page whose blocks lie where p does, which may be anything; if there is none, a page without
   `freer`. NULL: p is outside of the window, or there is no table. */
mi_inline mi_page_t* mi_page_map_find(const void* p) {
  size_t unit = mi_page_map_unit(p);
  if (MI_CHECKED || mi_unlikely(unit >= mi_page_map_units)) return NULL;
  return mi_page_map_at(unit);
}

/* Makes the table. There is none if there is no memory for it, and in builds that check every
   free. */
void mi_page_map_make(void);
void mi_page_map_unmap(void);

/* Says that the `count` units from `start` on belong to the page; NULL: to none. For the thread
   that has these units. */
void mi_page_map_set(const void* start, size_t count, mi_page_t* page);

#endif
