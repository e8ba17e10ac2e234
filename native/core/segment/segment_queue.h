/* The queues of a thread's segments that have free units, by the longest span of consecutive free
   units: a search begins with the shortest spans that may do, so that long ones stay for the pages
   that need them. For the owner of the segments. */
#ifndef MI_SEGMENT_QUEUE_H
#define MI_SEGMENT_QUEUE_H

#include "types.h"

/* Moves the segment to the queue for the free units that it has now; out of all queues if it has
   none. */
void mi_segment_queue_update(mi_segments_tld_t* tld, mi_segment_t* segment);
/* Takes the segment out of its queue, if it is in one. */
void mi_segment_queue_remove(mi_segments_tld_t* tld, mi_segment_t* segment);
/* Makes the segment the first one of its queue; those before it become the last ones. */
void mi_segment_queue_rotate(mi_segments_tld_t* tld, mi_segment_t* segment);

#endif
