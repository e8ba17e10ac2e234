/* The calling thread's heaps: when they begin and end. */
#ifndef MI_THREAD_H
#define MI_THREAD_H

#include "types.h"

/* The heap that mi_malloc uses. Points to mi_heap_empty, which has nothing to pop and must not be
   written, until the thread's first slow path. */
extern mi_hidden _Thread_local mi_heap_t* mi_heap_default;
extern mi_hidden const mi_heap_t mi_heap_empty;

mi_inline bool mi_heap_is_initialized(const mi_heap_t* heap) { return heap != &mi_heap_empty; }

/* How many calls of malloc's slow path the thread is in, since callbacks allocate too. An unwatched
   thread keeps its heap until the outermost call returns; for good if it never does. */
extern mi_hidden _Thread_local unsigned mi_thread_calls;

mi_inline void mi_thread_begin_call(void) { mi_thread_calls++; }
void mi_thread_end_call(void);

/* Sets errno to ENOMEM. What it was before is kept in mi_errno_before, for who finds memory after
   all. */
mi_cold void mi_set_no_memory(void);
extern mi_hidden _Thread_local int mi_errno_before;

/* The thread's default heap, made if there is none. NULL and ENOMEM if it cannot be made. */
mi_heap_t* mi_heap_get(void);

/* True in the last exit handlers of a thread, and where the system could not give us such a
   handler: we are not told when this thread ends. What it allocates is abandoned at once, and it
   has no heap between two calls. */
bool mi_thread_is_unwatched(void);

/* Ends all heaps of the thread: what lives in them is abandoned. */
void mi_thread_detach(void);

/* Like mi_thread_detach, for another thread, which is inside of no function of ours and never will
   be again. */
void mi_thread_detach_other(mi_tld_t* tld);

/* The exit handler of every thread that has a heap. */
void mi_thread_at_exit(void);

/* Adds what the thread has counted to the process's statistics, if there is anything. */
void mi_thread_merge_stats(void);

/* Unmaps what is kept for new threads. */
void mi_thread_cache_unmap(void);

#endif
