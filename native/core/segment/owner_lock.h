/* The lock on the pages of one owner. The owner has it in each call in which it may touch the lists
   of any of its pages; without it only those of the pages that malloc pops (the first ones of their
   queues), and of pages with a block that it frees. So the purger, which has the lock, may empty
   the lists of a page whose blocks are all free, if malloc does not pop it (page/scavenge.c).

   The owner takes it by a store and a load, and gives it back by a store. The purger only tries to:
   it says so, has all threads fenced (os/fence.h), and then sees whether the owner is inside. If
   the owner comes later, it sees the purger, and waits: that has the lock for some microseconds,
   unless it loses its processor. No thread of the program may be in the purger's place: a signal
   handler could keep it there, while the owner waits in malloc. The purger gets no signals. */
#ifndef MI_OWNER_LOCK_H
#define MI_OWNER_LOCK_H

#include "types.h"

/* A lock. It is not unmapped before the library ends, so any thread may read it at any time; when
   its owner ends, another one may have it. */
typedef struct mi_owner_lock_s {
  /* Written by the owner: its calls that are under way (MI_OWNER_CALLS), and above these bits how
     many have ended. So two looks that find the same number, and a call, find the same call. */
  _Alignas(64) _Atomic(uint32_t) inside;
  _Atomic(uint32_t) purger; /* the number of the helper that has the lock, or tries to; or 0 */
  _Atomic(bool) taken;      /* it is some thread's */
  /* What `inside` was when a purger last found the owner there, and the time at which it first
     found that, in milliseconds, its low 32 bits. Purgers write both. */
  _Atomic(uint32_t) seen_inside;
  _Atomic(uint32_t) seen_since;
} mi_owner_lock_t;

enum { MI_OWNER_CALLS = (1 << 20) - 1 };

/* What a try of the purger to take a lock comes to. */
typedef enum mi_owner_try_e {
  MI_OWNER_LOCKED,
  MI_OWNER_LATER, /* it is worth while to try again some time later */
  /* Threads cannot be fenced; or the owner has been in one call for a second: then it must be
     asleep there, in a function of the program that miheap has called. */
  MI_OWNER_GIVEN_UP,
} mi_owner_try_t;

/* A lock for the calling thread. NULL if there is no memory. */
mi_owner_lock_t* mi_owner_lock_begin(void);
/* For its owner, which has no pages any more; it may be inside. */
void mi_owner_lock_end(mi_owner_lock_t* lock);

mi_noinline void mi_owner_lock_wait(mi_owner_lock_t* lock);

/* For the owner. Calls may lie inside of one another. */
mi_inline void mi_owner_enter(mi_owner_lock_t* lock) {
  uint32_t inside = atomic_load_explicit(&lock->inside, memory_order_relaxed);
  atomic_store_explicit(&lock->inside, inside + 1, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst); /* the purger has all threads fenced */
  /* Acquire: pairs with the release in mi_owner_unlock. */
  if (mi_unlikely(atomic_load_explicit(&lock->purger, memory_order_acquire) != 0)) {
    mi_owner_lock_wait(lock);
  }
}
mi_inline void mi_owner_leave(mi_owner_lock_t* lock) {
  uint32_t inside = atomic_load_explicit(&lock->inside, memory_order_relaxed);
  /* Release: pairs with the acquire in mi_owner_try_lock. */
  atomic_store_explicit(&lock->inside, inside + MI_OWNER_CALLS, memory_order_release);
}
mi_inline bool mi_owner_is_inside(const mi_owner_lock_t* lock) {
  return (atomic_load_explicit(&lock->inside, memory_order_relaxed) & MI_OWNER_CALLS) != 0;
}

/* For the purger. With the lock it must neither wait, nor call the system but for a fence before it
   touches any list, until it gives the lock back. */
mi_owner_try_t mi_owner_try_lock(mi_owner_lock_t* lock);
void mi_owner_unlock(mi_owner_lock_t* lock);

/* The lock of a segment's owner, for a thread that has pinned the segment. If the caller has that
   lock, and the segment still has it, then it has its owner until the lock is given back. */
mi_inline mi_owner_lock_t* mi_segment_lock(const mi_segment_t* segment) {
  return atomic_load_explicit(&segment->lock, memory_order_acquire);
}
/* For the owner: `lock` is its own; NULL if it ceases to be the owner. It is inside. */
mi_inline void mi_segment_set_lock(mi_segment_t* segment, mi_owner_lock_t* lock) {
  atomic_store_explicit(&segment->lock, lock, memory_order_release);
}

/* In a forked child: all locks are free but this one, the calling thread's; NULL: it has none. */
mi_cold void mi_owner_locks_forked(const mi_owner_lock_t* mine);

/* For the end of the library. */
void mi_owner_locks_unmap(void);

#endif
