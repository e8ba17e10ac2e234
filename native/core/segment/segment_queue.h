/* A thread's queues of segments with free units, by the longest run of free units: what needs one unit is looked for
   first where there are no longer runs. For the owner of the segments. */
#ifndef MI_SEGMENT_QUEUE_H
#define MI_SEGMENT_QUEUE_H

#include "types.h"

/* Moves the segment to the queue for the free units that it has now; out of all queues if it has none. */
void mi_segment_queue_update(mi_segments_tld_t* tld, mi_segment_t* segment);
/* Takes the segment out of its queue, if it is in one. */
void mi_segment_queue_remove(mi_segments_tld_t* tld, mi_segment_t* segment);
/* Makes this segment of a queue the first one; those before it come last. */
void mi_segment_queue_rotate(mi_segments_tld_t* tld, mi_segment_t* segment);

#endif
