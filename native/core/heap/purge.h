/* What the whole process can give back to the system: what is in magazines, blocks, units. Any
   thread. */
#ifndef MI_HEAP_PURGE_H
#define MI_HEAP_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Purges what is due. Returns when more will be; 0: nothing is waiting. */
int64_t mi_process_purge_due(void);
/* Purges a part of what is due, so that no call of malloc takes long. After a peak, the purger, or
   a timer, or the next calls do the rest; without either of the first two, it purges all that is
   due. Whether there may be a rest. */
bool mi_process_purge_some(void);
/* Says that the program will call mi_process_purge_some from a timer, as long as anything waits. */
void mi_process_purge_has_timer(void);
/* Leaves the calling thread's empty pages, and what is free between its live blocks, to those who
   purge what is due. Walks all pages of its heaps. */
void mi_process_purge_offer(void);
/* Purges a part of what no thread uses, 8 MiB or a slot more: some milliseconds at most. *place is
   0 in the first call, which also does what mi_process_purge_offer does, and counts up once
   magazines are empty. True if that was the last part. */
bool mi_process_purge_part(size_t* place);
/* Purges all that no thread uses. */
void mi_process_purge_all(void);

#endif
