/* Sub-processes: groups of threads that do not take over each other's memory. Any thread may call
   any of these; none waits. */
#ifndef MI_SUBPROC_H
#define MI_SUBPROC_H

#include "types.h"

typedef struct mi_subproc_s {
  _Atomic(size_t) abandoned; /* segments that its ended threads left and nobody has adopted */
  _Atomic(size_t) users;     /* 0: there is no such sub-process; else 1 + its threads */
} mi_subproc_t;

/* The one that threads are in unless they say otherwise. It has no users. */
extern mi_subproc_t mi_subproc_first;

/* No thread is in this one. What it seems to have abandoned are the communal segments (heap/communal.h): nobody adopts
   them. */
extern mi_hidden mi_subproc_t mi_subproc_communal;

/* Where a thread belongs: tld->subproc, or the first one if that is NULL. */
mi_inline mi_subproc_t* mi_subproc_of(const mi_segments_tld_t* tld) {
  return tld->subproc == NULL ? &mi_subproc_first : tld->subproc;
}

/* A new one without threads; NULL if there is no memory. */
mi_subproc_t* mi_subproc_make(void);

/* What a caller calls `id`, which may be anything: a sub-process that exists, or NULL. */
mi_subproc_t* mi_subproc_find(void* id);

/* Moves a thread, that of the tld, to another sub-process. False if that does not exist any more. */
bool mi_subproc_enter(mi_segments_tld_t* tld, mi_subproc_t* subproc);

/* Ends a sub-process, unless it has threads; then false. While `hand_over` runs nobody can enter. */
bool mi_subproc_end(mi_subproc_t* subproc, void (*hand_over)(mi_subproc_t* subproc));

/* Where no other thread is inside of miheap: ends them all, whatever threads they have. */
void mi_subprocs_end(void (*hand_over)(mi_subproc_t* subproc));

/* In a forked child: no threads but the calling one, whose tld it is (NULL: it has none), are in
   any. */
void mi_subprocs_forked(mi_segments_tld_t* tld);

#endif
