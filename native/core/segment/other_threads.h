/* Segments that another thread owns: what a thread can do with them where it is the only one in
   miheap. */
#ifndef MI_OTHER_THREADS_H
#define MI_OTHER_THREADS_H

#include "segment/segment.h"

/* The owner of segments whose thread was lost in a fork. No thread has this id, and it is not 0,
   which says that a segment is abandoned. */
#define MI_ORPHAN ((uintptr_t)1)

/* Whether another thread owns the segment. False for a segment that is only being made, and for an
   orphan. */
bool mi_segment_is_of_another(const mi_segment_t* segment);

/* Calls fn for each slot that is not free; of a run, for its first slot only: the program may have
   taken away the right to read the inside. */
void mi_for_each_taken_slot(void (*fn)(mi_slot_ref_t ref, void* arg), void* arg);

/* Calls fn for every segment that another thread owns; fn may free any segment. Only where no other
   thread is inside of miheap. */
void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment));

#endif
