/* The check that functions on heaps share. */
#ifndef MI_API_HEAP_H
#define MI_API_HEAP_H

#include "types.h"

/* True if the heap is one of the calling thread. Any other pointer but NULL is reported as misuse
   of `function`. */
bool mi_heap_accept(const char* function, const mi_heap_t* heap);

#endif
