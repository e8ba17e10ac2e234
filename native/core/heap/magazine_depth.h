/* How deep a magazine is: how many blocks of each class it may hold. Eight at first, up to
   MI_MAGAZINE_DEPTH where blocks of the class come and go in larger numbers: what such a program
   frees last is still in the cache when malloc wants it. Everything is for the owner. */
#ifndef MI_MAGAZINE_DEPTH_H
#define MI_MAGAZINE_DEPTH_H

#include "types.h"

/* malloc finds no block of the class, of which some had no room before. */
mi_noinline void mi_magazine_deepen(mi_heap_t* heap, unsigned size_class);

/* A block of the class finds no room. Frees others of the class, which may end pages. */
void mi_magazine_overflow(mi_magazine_t* magazine, unsigned size_class);

/* The magazine, which is empty, starts again with the least depths. */
void mi_magazine_reset_depths(mi_magazine_t* magazine);

#endif
