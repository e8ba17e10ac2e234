/* Memory of pages whose owner sleeps. Blocks that others freed wait on thread_free for an owner who
   may never look. Any thread may give that memory back to the system; the addresses stay the
   owner's. It takes the list, and so holds these blocks:

     are they all blocks of the page, the page is purged, and the word WHOLE without a list left
     are they some blocks of a medium or large page, they are purged one by one, but for the system
       page with the link, and put back; those of a medium page if they were there at the last look, too. A
       block of a small page is not worth that: of these, a thread keeps what lies in pages that were not
       exhausted, about one of each size class */
#ifndef MI_SCAVENGE_H
#define MI_SCAVENGE_H

#include "segment/slot_ref.h"

/* A page in this slot has come back whole: it is due after two fifths of the delay, unless its owner looks
   before. */
void mi_scavenge_announce(mi_slot_ref_t ref);

/* Some blocks have come back to a medium or large page in this slot. */
void mi_scavenge_hint(mi_slot_ref_t ref);

/* As mi_purge_next and mi_purge_round. */
int64_t mi_scavenge_next(void);
int64_t mi_scavenge_round(int64_t now);

/* Scavenges all that was announced. */
void mi_scavenge_all(void);

#endif
