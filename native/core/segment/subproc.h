/* Sub-processes: groups of threads that do not take over each other's memory. Any thread may call
   any of these functions. To end one waits, for threads that visit or hold what it leaves. */
#ifndef MI_SUBPROC_H
#define MI_SUBPROC_H

#include "types.h"

typedef struct mi_subproc_s {
  _Atomic(size_t) abandoned; /* segments that its ended threads left and none has adopted */
  _Atomic(size_t) users;     /* 0: there is no such sub-process; else 1 + its threads */
} mi_subproc_t;

/* The sub-process that threads are in unless they say otherwise. Its `users` stays 0. */
extern mi_subproc_t mi_subproc_first;

/* The sub-process whose mark communal segments have (heap/communal.h). No thread is in it, so no
   thread adopts what it seems to have abandoned. */
extern mi_hidden mi_subproc_t mi_subproc_communal;

/* The sub-process of a thread: tld->subproc, or the first one if that is NULL. */
mi_inline mi_subproc_t* mi_subproc_of(const mi_segments_tld_t* tld) {
  return tld->subproc == NULL ? &mi_subproc_first : tld->subproc;
}

/* Makes a sub-process without threads; NULL if there is no memory. */
mi_subproc_t* mi_subproc_make(void);

/* The sub-process that has this id, which may be anything; NULL if it does not exist. The id NULL
   is that of the first one. */
mi_subproc_t* mi_subproc_find(void* id);

/* Moves the thread of the tld to another sub-process. False if that does not exist any more. */
bool mi_subproc_enter(mi_segments_tld_t* tld, mi_subproc_t* subproc);

/* Ends a sub-process. False if it has threads. While `hand_over` runs no thread can enter. */
bool mi_subproc_end(mi_subproc_t* subproc, void (*hand_over)(mi_subproc_t* subproc));

/* Ends all sub-processes, whatever threads they have. Only where no other thread is inside of
   miheap. */
void mi_subprocs_end(void (*hand_over)(mi_subproc_t* subproc));

/* In a forked child: says that no thread but the calling one, whose tld this is, is in any
   sub-process. NULL: the calling thread has no tld. */
void mi_subprocs_forked(mi_segments_tld_t* tld);

#endif
