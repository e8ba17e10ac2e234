/* The memory of the whole process, at a quiet point: no other thread is inside of miheap. */
#ifndef MI_TEST_MEMORY_H
#define MI_TEST_MEMORY_H

#include "types.h"

/* The current values of the process's statistics. */
typedef struct memory_s {
  int64_t reserved;  /* bytes */
  int64_t committed; /* bytes */
  int64_t segments;
  int64_t huge;      /* bytes of huge blocks */
  int64_t abandoned; /* segments */
  int64_t threads;
} memory_t;

memory_t memory_gauges(void);

/* Walks all chunks, slots, units and segments, and the heaps of this thread. Ends the process, with
   a line that says what is wrong, unless all of this holds:
     the units of a slot are partitioned as mi_slot_t says
     the counts and masks of a segment agree; its pages belong to heaps, or to none if it is
       abandoned
     the chunk map and the segment table lead to each chunk and each huge segment, and to nothing
       else
     the gauges segments, abandoned, huge and committed are what the walk finds
     heaps_check */
void memory_check(void);

/* Checks that the pages are counted that there are, and the page map has these. While the process
   has one thread. */
void memory_check_pages(void);

/* Checks that mi_heap_is_valid says so of every heap of this thread, and that their segments are
   counted and queued. Not for a visitor or a callback. */
void heaps_check(void);

/* mi_page_free_collect, for a page of this thread. */
void collect_page(mi_page_t* page);

/* The number of segments with communal pages, as the library counts them. */
size_t memory_communal(void);

/* Resident memory of this process, in bytes. */
size_t memory_resident(void);

#endif
