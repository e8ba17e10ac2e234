/* Memory of a page whose owner sleeps. All of its blocks were freed by others, so they wait on
   thread_free for an owner who may never look. Any thread may give that memory back to the system:
   it takes the whole list, and so holds every block of the page, and leaves behind the word that
   says so (WHOLE, without a list). The addresses stay the owner's. */
#ifndef MI_SCAVENGE_H
#define MI_SCAVENGE_H

#include "segment/chunk.h"

/* A page in this slot has come back whole: it is due after purge_delay, unless its owner looks
   before. */
void mi_scavenge_announce(mi_slot_ref_t ref);

/* Scavenges what is due. One load if nothing was announced. */
void mi_scavenge_tick(void);

/* Scavenges all that was announced. */
void mi_scavenge_all(void);

#endif
