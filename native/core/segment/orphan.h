/* Segments in a forked child, while it has one thread. A *lost* thread is one that the parent has
   and the child has not: the fork stopped it wherever it was, also in the middle of a change. */
#ifndef MI_SEGMENT_ORPHAN_H
#define MI_SEGMENT_ORPHAN_H

#include "segment/segment.h"

/* Whether there is something to repair: at the fork some slot had a segment of a lost thread or an
   abandoned one, or a lost thread was taking or releasing it. */
bool mi_segments_need_repair(void);

/* Completes every change of slots and units that a lost thread had begun, and makes the segments of
   lost threads orphans: their blocks can be freed, but no thread allocates in them. Calls fn for
   every page of every segment in a chunk. `held`: the segment is abandoned, and a lost thread held
   it. */
void mi_segments_repair(void (*fn)(mi_page_t* page, bool held));

/* Ends the pages of orphans of which fn says that all blocks are free, and the orphans that have no
   others; fn leaves such a page without a block. To be called after mi_segments_count_again, since
   it changes what that counted. */
void mi_segments_end_free_pages(bool (*fn)(mi_page_t* page));

/* Counts segments, pages, committed memory and huge blocks anew: lost threads may not have counted
   what they had done. `pages_to_come`: those that this thread has not yet added to the process's
   figure. To be called after mi_segments_repair. */
void mi_segments_count_again(int64_t pages_to_come);

#endif
