/* What the whole process can give back to the system: what is in magazines, blocks, units. Any
   thread. */
#ifndef MI_HEAP_PURGE_H
#define MI_HEAP_PURGE_H

#include <stdint.h>

/* Purges what is due. Returns when more will be; 0: nothing is waiting. */
int64_t mi_process_purge_due(void);
/* Purges a part of what is due, so that no call of malloc takes long. After a peak, the purger, or
   the next calls, do the rest. */
void mi_process_purge_some(void);
/* Purges all that no thread uses. */
void mi_process_purge_all(void);

#endif
