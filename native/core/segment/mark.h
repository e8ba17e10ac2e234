/* The mark of a slot: the sub-process that has left the segment there without an owner, and whether a thread holds it at
   this moment. There is no list of such segments: who changes the mark takes the segment, so there is neither an ABA
   problem nor a lock. */
#ifndef MI_MARK_H
#define MI_MARK_H

#include "segment/slot_ref.h"
#include "segment/subproc.h"

mi_inline _Atomic(mi_subproc_t*)* mi_mark_of(mi_slot_ref_t ref) {
  return &ref.chunk->abandoned[ref.index];
}

/* Release: who takes the mark sees everything in the segment as we leave it. */
mi_inline void mi_mark_set(mi_slot_ref_t ref, mi_subproc_t* subproc) {
  atomic_store_explicit(mi_mark_of(ref), subproc, memory_order_release);
}

/* What the mark is while a thread has taken it, or is about to set it: a forked child sets it again if that thread
   is not there. */
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

/* What the mark is at this moment. NULL: there is no abandoned segment. */
mi_inline mi_subproc_t* mi_mark_peek(mi_slot_ref_t ref) {
  return atomic_load_explicit(mi_mark_of(ref), memory_order_relaxed);
}

/* False if the mark is gone, or held, or another's. Acquire pairs with the release of mi_mark_set. */
mi_inline bool mi_mark_take(mi_slot_ref_t ref, mi_subproc_t* subproc) {
  mi_subproc_t* found = mi_mark_peek(ref);
  return found == subproc &&
         atomic_compare_exchange_strong_explicit(mi_mark_of(ref), &found, mi_mark_held(subproc),
                                                 memory_order_acquire, memory_order_relaxed);
}

#endif
