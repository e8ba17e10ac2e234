/* A memory barrier in all threads of the process at once, which any thread can ask for
   (membarrier(2)). So of two threads that must see what the other wrote, the one that comes seldom
   pays for both: the other one needs no barrier of its own. Not every system has it, and it must be
   asked for first. Any thread may call these functions. */
#ifndef MI_FENCE_H
#define MI_FENCE_H

#include <stdbool.h>

/* Says that a fence would be of use. The purger then prepares it. */
void mi_fence_want(void);
/* Whether a fence is wanted, and not prepared yet. */
bool mi_fence_is_wanted(void);
/* Asks the system for it. May take 50 ms where there are many threads, so the purger does it. */
void mi_fence_prepare(void);
/* The same as the process starts and has one thread, which makes it cheap: wanted or not. */
void mi_fence_prepare_early(void);
/* Whether all threads can be fenced. */
bool mi_fence_is_usable(void);

/* Fences all threads: what each did before, it did before that fence for all others, and what it
   does later, after it. False, and nothing was done, if that is not possible. */
bool mi_fence_threads(void);

/* In a forked child: a lost thread may have asked for the fence, which then is the parent's. */
void mi_fence_forked(void);

#endif
