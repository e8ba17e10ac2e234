/* Segments without an owner: what ended threads left. There is no list: an abandoned segment is
   a bit in its chunk, and clearing that bit takes it, so there is neither an ABA problem nor a
   lock. */
#ifndef MI_ABANDONED_H
#define MI_ABANDONED_H

#include "segment/segment.h"

/* Makes the segment ownerless. The caller owns it, no page of it is in a heap any more, every
   page with live blocks is in state NORMAL, and it is in no queue. The caller must not touch it
   afterwards. */
void mi_segment_abandon(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Takes the segment if it is abandoned; the caller then owns it. The caller holds a live block
   in it, so that it cannot vanish meanwhile. */
bool mi_segment_try_adopt(mi_segments_tld_t* tld, mi_segment_t* segment);

/* Calls fn for every segment that another thread owns. Only where no other thread is inside of
   miheap; fn may free any segment. */
void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment));

/* In a forked child, before it has a second thread: takes every segment from the threads that are
   not there, whose ids new threads may get. Nobody owns these segments from then on; their blocks
   can be freed, but not used again. Calls fn for every page of every segment in a chunk. */
void mi_segments_orphan(void (*fn)(mi_page_t* page));

/* Segments abandoned at this moment: those in an exclusive arena, or all others (NULL, or an arena
   that is not exclusive). */
size_t mi_abandoned_count(const mi_arena_t* arena);
/* All of them. */
size_t mi_abandoned_total(void);

/* Takes some abandoned segment that tld->arena admits, or returns NULL if no chunk has one. Goes on
   where the last search of this thread ended. */
mi_segment_t* mi_segment_adopt_next(mi_segments_tld_t* tld);

/* Takes each of those that are abandoned now, one after the other. `fn` frees it or abandons it
   again. */
typedef void mi_segment_fun(mi_segments_tld_t* tld, mi_segment_t* segment);
void mi_segments_adopt_each(mi_segments_tld_t* tld, mi_segment_fun* fn);

#endif
