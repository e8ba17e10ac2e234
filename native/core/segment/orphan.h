/* Segments in a forked child, while it has one thread. A *lost* thread is one that the parent has and the child has not:
   it was stopped by the fork wherever it was, also in the middle of a change. */
#ifndef MI_SEGMENT_ORPHAN_H
#define MI_SEGMENT_ORPHAN_H

#include "segment/segment.h"

/* Whether there is something to repair: some slot has a segment of a lost thread, or an abandoned one, or was half made
   or half released at the fork. */
bool mi_segments_need_repair(void);

/* Completes every change of slots and units that a lost thread had begun, and makes the segments of lost threads orphans:
   their blocks can be freed, but are not used again. Calls fn for every page of every segment in a chunk. `held`: the
   segment is abandoned, and a lost thread held it. */
void mi_segments_repair(void (*fn)(mi_page_t* page, bool held));

/* Counts segments, committed memory and huge blocks anew: lost threads may have been about to count what they had
   done. After mi_segments_repair. */
void mi_segments_count_again(void);

#endif
