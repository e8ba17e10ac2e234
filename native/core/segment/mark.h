/* The mark of a slot names the sub-process that has left a segment in it without an owner, and says
   whether a thread holds that segment at this moment. There is no list of such segments: the thread
   that changes the mark takes the segment, so there is neither an ABA problem nor a lock. */
#ifndef MI_MARK_H
#define MI_MARK_H

#include "segment/slot_ref.h"
#include "segment/subproc.h"

mi_inline _Atomic(mi_subproc_t*)* mi_mark_of(mi_slot_ref_t ref) {
  return &ref.chunk->abandoned[ref.index];
}

/* Release pairs with the acquire of mi_mark_take: the thread that takes the mark sees everything in
   the segment as we leave it. */
mi_inline void mi_mark_set(mi_slot_ref_t ref, mi_subproc_t* subproc) {
  atomic_store_explicit(mi_mark_of(ref), subproc, memory_order_release);
}

/* Set in the mark while a thread has taken it, or is about to set it. If that thread is lost, a
   forked child sets the mark again. */
#define MI_MARK_HELD ((uintptr_t)1)

mi_inline mi_subproc_t* mi_mark_held(mi_subproc_t* subproc) {
  return (mi_subproc_t*)((uintptr_t)subproc | MI_MARK_HELD);
}
mi_inline bool mi_mark_is_held(const mi_subproc_t* word) {
  return ((uintptr_t)word & MI_MARK_HELD) != 0;
}
mi_inline mi_subproc_t* mi_mark_subproc(const mi_subproc_t* word) {
  return (mi_subproc_t*)((uintptr_t)word & ~MI_MARK_HELD);
}

/* The mark at this moment, with MI_MARK_HELD. NULL: there is no abandoned segment. */
mi_inline mi_subproc_t* mi_mark_peek(mi_slot_ref_t ref) {
  return atomic_load_explicit(mi_mark_of(ref), memory_order_relaxed);
}

/* Takes the mark of this sub-process. False if there is none, or another sub-process's, or if the
   mark is held. Acquire pairs with the release of mi_mark_set. */
mi_inline bool mi_mark_take(mi_slot_ref_t ref, mi_subproc_t* subproc) {
  mi_subproc_t* found = mi_mark_peek(ref);
  return found == subproc &&
         atomic_compare_exchange_strong_explicit(mi_mark_of(ref), &found, mi_mark_held(subproc),
                                                 memory_order_acquire, memory_order_relaxed);
}

#endif
