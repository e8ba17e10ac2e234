/* Mappings of huge segments that were freed a moment ago, to be used again before they are
   unmapped. Any thread may call any of these functions; a mapping belongs to the thread that takes
   it. */
#ifndef MI_HUGE_CACHE_H
#define MI_HUGE_CACHE_H

#include "segment/mapping.h"
#include "segment/purge.h"

/* Takes the kept mapping that is nearest to `size`: the shortest one that is long enough, else the
   longest. Of one that is too long the rest stays, from the next segment boundary on: to unmap it
   now could take 20 ms. The contents are undefined. */
mi_mapping_t mi_huge_cache_take(size_t size);

/* Keeps the mapping for a while, or unmaps it. */
void mi_huge_cache_put(mi_mapping_t mapping);

/* Bytes of the mappings that are kept. Exact while no thread is in a function of this file. */
size_t mi_huge_cache_size(void);

/* Unmaps the mappings that are due at `now`, as long as the budget lasts. Returns when the next one
   is due; 0: none is. */
int64_t mi_huge_cache_drop_due(int64_t now, mi_purge_budget_t* budget);
/* In a forked child: ends the claims of lost threads. What one had taken, and did not use yet, or
   was about to put here, is lost. */
void mi_huge_cache_forked(void);
/* Unmaps all mappings, as long as the budget lasts. */
void mi_huge_cache_drop(mi_purge_budget_t* budget);

#endif
