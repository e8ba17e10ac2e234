/* Guarded blocks, in builds with MI_GUARDED. They lie inside of ordinary blocks:

     block                                p                 a system page
     | link | size, inside | ...          | size bytes  |   | no access | ... |
                                          ^ block + inside
                                                        ^ less than the alignment before that page

   The ordinary block is so large that the page without access holds nothing else. Bit i of
   page->guarded says that the block with index i is guarded; since these blocks are larger than two
   system pages, a page has 64 of them at most. Whichever thread frees the block lifts the guard
   first. Lists and states know only the ordinary block. */
#ifndef MI_GUARD_H
#define MI_GUARD_H

#include "bits.h"
#include "types.h"

typedef struct mi_guarded_s {
  uint8_t* p; /* what the caller got; NULL: the block is not guarded */
  size_t size;
} mi_guarded_t;

/* The size that an ordinary block must be asked for, so that a guarded one of `size` fits into it.
   `align` is at most a system page, and `size` far below SIZE_MAX. */
size_t mi_guard_room(size_t size, size_t align);

/* Makes the block, of mi_guard_room bytes, guarded. Returns an address p such that p + offset is a
   multiple of `align`. NULL if the system cannot protect memory there. For the owner, before any
   other thread knows the block. */
uint8_t* mi_guard_place(mi_page_t* page, void* block, size_t size, size_t align, size_t offset);

/* The guarded block in which p lies. The caller holds the block, or visits it. */
mi_guarded_t mi_guarded_of(const mi_page_t* page, const void* p);

/* Makes all of the block accessible again. Does nothing if it is not guarded. */
void mi_guard_lift(mi_page_t* page, void* block);

/* Makes all blocks of a page accessible again, before the page is given back. */
void mi_guard_lift_page(mi_page_t* page);

#endif
