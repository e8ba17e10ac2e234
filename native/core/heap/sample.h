/* Which blocks are guarded, in builds with MI_GUARDED. For the heap's thread. */
#ifndef MI_SAMPLE_H
#define MI_SAMPLE_H

#include "types.h"

/* From now on one in `rate` blocks of the heap is guarded, if its size is in the bounds; rate 0:
   none. The first one is the (seed % rate + 1)-th; seed 0: a random one. */
void mi_heap_sample(mi_heap_t* heap, size_t rate, size_t seed);
/* The bounds, in bytes, both included. */
void mi_heap_sample_sizes(mi_heap_t* heap, size_t min, size_t max);
/* Takes rate, seed and bounds from the options. */
void mi_heap_sample_as_options_say(mi_heap_t* heap);
/* Counts an allocation. True if its block is to be guarded. */
bool mi_heap_sample_next(mi_heap_t* heap, size_t size);

#endif
