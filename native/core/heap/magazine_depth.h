/* How deep a magazine is: how many blocks of each class it may hold. Eight at first, up to
   MI_MAGAZINE_DEPTH where blocks of the class come and go in larger numbers: what such a program
   frees last is still in the cache when malloc wants it. Everything is for the owner. */
#ifndef MI_MAGAZINE_DEPTH_H
#define MI_MAGAZINE_DEPTH_H

#include "types.h"

/* To be called when malloc finds no block of the class, and some found no room before. Doubles the
   depth, if the magazine may hold that. A closed class gets eight, or eight and as many as found no
   room. */
mi_noinline void mi_magazine_deepen(mi_heap_t* heap, mi_magazine_stack_t* stack);

/* A block of the class finds no room. May free others of the class, and so end pages. */
void mi_magazine_overflow(mi_magazine_t* magazine, mi_magazine_stack_t* stack);

/* The class has no room for more blocks than it has, until malloc finds none: it is closed. */
void mi_magazine_close(mi_magazine_t* magazine, mi_magazine_stack_t* stack);

/* The magazine, which is empty, has the least depths again. */
void mi_magazine_start_anew(mi_magazine_t* magazine);

void mi_magazine_shrink(mi_magazine_t* magazine);
/* Gives the magazine of the heap, which must have one, the least depths if the heap has become much
   smaller since they grew. May free blocks, and so end pages. */
mi_inline void mi_magazine_fit(mi_heap_t* heap) {
  if (mi_unlikely(heap->page_count < heap->magazine->least_pages))
    mi_magazine_shrink(heap->magazine);
}

#endif
