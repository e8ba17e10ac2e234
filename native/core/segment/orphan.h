/* Segments of threads that are not there, or not any more. */
#ifndef MI_ORPHAN_H
#define MI_ORPHAN_H

#include "segment/segment.h"

/* Calls fn for every segment that another thread owns. Only where no other thread is inside of
   miheap; fn may free any segment. */
void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment));

/* In a forked child, before it has a second thread: another thread had a segment in a slot, or any thread left one, or
   one was just being made or ended there. */
bool mi_segments_were_cut_off(void);
/* There: takes every segment from the threads that are
   not there, whose ids new threads may get. Nobody owns these segments from then on; their blocks
   can be freed, but not used again. Calls fn for every page of every segment in a chunk. `held`: of an abandoned segment,
   and one of these threads held it. Slots and units that they were just giving back, or taking, are free. */
void mi_segments_orphan(void (*fn)(mi_page_t* page, bool held));

#endif
