/* The whole process's memory at a quiet point: no other thread is inside of miheap. */
#ifndef MI_TEST_MEMORY_H
#define MI_TEST_MEMORY_H

#include "types.h"

typedef struct memory_s {
  int64_t reserved;
  int64_t committed;
  int64_t segments;
  int64_t huge;
  int64_t abandoned;
  int64_t threads;
} memory_t;

memory_t memory_gauges(void);

/* Walks all chunks, slots, units and segments, and the heaps of this thread; ends the process, with a
   line that says what is wrong, unless everything holds:
     the units of a slot are partitioned as mi_slot_t says
     a segment's counts and masks agree, and each of its pages belongs to a heap, or none if abandoned
     the chunk map and the segment table lead to each chunk and each huge segment, and to nothing else
     the gauges segments, abandoned, huge and committed are what is found */
void memory_check(void);

/* mi_heap_is_valid of every heap of this thread, and that their segments are counted and queued. Not
   for a visitor or a callback. */
void heaps_check(void);

/* Segments with communal pages, as they were counted. */
size_t memory_communal(void);

/* Bytes of memory resident in this process. */
size_t memory_resident(void);

#endif
