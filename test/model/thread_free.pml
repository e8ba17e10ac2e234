/* Model 1: one owner with two heaps, OTHERS threads that free its blocks, and PURGERS threads that
   give the memory of wholly free pages back.

   The owner goes on for ever in any order: it hands out blocks (to itself or to others), frees its
   own, moves exhausted pages to the full queue, drains the delayed list, collects, gives pages
   back, makes new ones, and deletes or destroys its second heap and makes another. At any time it
   may decide to stop. Then all blocks are freed, and a heartbeat and a look at the ordinary pages
   must bring every one of them back. */

#ifndef PAGES
#define PAGES 1
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef OTHERS
#define OTHERS 2
#endif
#ifndef PURGERS
#define PURGERS 1
#endif
#define HEAPS 2
#include "protocol.pml"

bit stopping;
bit settling;

proctype other(byte me) {
  short word, wanted;
  byte chain, b, i;
  do
  :: ANY(me) ->
     lowest(b, me);
     i = PAGE_OF(b);
     free_by_other(b, i);
     atomic { b = 0; i = 0 }
  :: stopping && !ANY(me) -> break
  od
}

proctype purger(byte me) {
  short word, wanted;
  byte i, list, count;
#ifdef HOLES
  byte later, known;
  bit fits;
#endif
  do
  :: WORTH(thread_free[0], 0) -> scavenge(0)
#if PAGES > 1
  :: WORTH(thread_free[1], 1) -> scavenge(1)
#endif
  :: stopping -> break
  od
}

inline make_available(p) {
  do
  :: collect(p);
     lowest_in(b, p, FREE);
     if
     :: b != 0 -> b = 0; break
     :: else ->
        set_full(p);
        if
        :: wanted -> wanted = 0; break
        :: else ->
           if
           :: STATE(thread_free[p]) == BUSY -> break
           :: else
           fi
        fi
     fi
  od
}

inline retire(p) {
  if
  :: page_lives[p] && used[p] == 0 && !in_full[p] -> end_page(p)
  :: true
  fi
}

/* mi_heap_settle */
inline settle_heap() {
  atomic { ending[1] = 1; settling = 1; p = 0 }
  do
  :: p < PAGES ->
     if
     :: page_lives[p] && page_heap[p] == 1 -> settle(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
#ifdef DRAIN_ONCE
  delayed_free(1);
#else
  do
  :: delayed[1] != 0 -> delayed_free(1)
  :: else -> break
  od;
#endif
  settling = 0
}

inline end_heap() {
  atomic {
    HOLDS(heap_end, telling[1] == 0 && delayed[1] == 0);
    heap_lives[1] = 0; ending[1] = 0
  }
}

/* mi_heap_delete: mi_heap_absorb, mi_heap_free_memory */
inline delete_heap() {
  settle_heap();
  do
  :: p < PAGES ->
     atomic {
       if
       :: page_lives[p] && page_heap[p] == 1 -> in_full[p] = 0; page_heap[p] = 0; check_page(p)
       :: else
       fi
     }
     p++
  :: else -> break
  od;
  p = 0;
  end_heap()
}

/* mi_page_forget_frees, and the page goes with all that lives in it. */
inline destroy_page(p) {
  atomic {
    STATE(thread_free[p]) != BUSY -> thread_free[p] = NORMAL; in_full[p] = 0; used[p] = 0;
#ifdef HOLES
    holes[p] = 0;
#endif
    i = FIRST(p);
    do
    :: i < PAST(p) -> place[i] = FREE; next[i] = 0; i++
    :: else -> break
    od;
    i = 0
  }
  end_page(p)
}

/* mi_heap_destroy */
inline destroy_heap() {
  settle_heap();
  do
  :: p < PAGES ->
     if
     :: page_lives[p] && page_heap[p] == 1 -> destroy_page(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
  end_heap()
}

inline step(p) {
  if
  :: page_lives[p] ->
     if
     :: !in_full[p] ->
        lowest_in(b, p, FREE);
        if
        :: b != 0 ->
           if
           :: atomic { place[b] = me; used[p]++; b = 0 }
           :: atomic { place[b] = 2; used[p]++; b = 0 }
#if OTHERS > 1
           :: atomic { place[b] = 3; used[p]++; b = 0 }
#endif
#if OTHERS > 2
           :: atomic { place[b] = 4; used[p]++; b = 0 }
#endif
           :: b = 0; collect(p); retire(p)
           fi
        :: else -> make_available(p); retire(p)
        fi
     :: else
     fi
  :: !page_lives[p] ->
     atomic {
       page_lives[p] = 1;
       page_heap[p] = 0
     }
     if
     :: heap_lives[1] -> page_heap[p] = 1
     :: true
     fi
  :: page_lives[p] ->
     lowest_in(b, p, me);
     if
     :: b != 0 -> it = p; free_by_owner(b, it); atomic { b = 0; it = 0 } retire(p)
     :: else
     fi
  fi
}

/* No other thread holds a block. */
#define OTHERS_HOLD (ANY(2) || ANY(3) || ANY(4))

active proctype owner() {
  short word, wanted;
  byte chain, later, kept, it, i, b, p;
#ifdef SHARING
  byte kept_free;
#endif
#ifdef HOLES
  byte count, it_count;
#endif
  byte me = 1;
  atomic {
    heap_lives[0] = 1;
    heap_lives[1] = 1;
    run other(2);
#if OTHERS > 1
    run other(3);
#endif
#if OTHERS > 2
    run other(4);
#endif
#if PURGERS > 0
    run purger(9);
#endif
  }
  do
  :: step(0)
#if PAGES > 1
  :: p = 1; step(p); p = 0
#endif
  :: delayed[0] != 0 -> delayed_free(0)
  :: heap_lives[1] && delayed[1] != 0 -> delayed_free(1)
  :: heap_lives[1] -> delete_heap()
  :: heap_lives[1] && !OTHERS_HOLD -> destroy_heap()
  :: !heap_lives[1] -> heap_lives[1] = 1
  :: stopping = 1; break
  od;
  do
  :: ANY(me) ->
     lowest(b, me);
     it = PAGE_OF(b);
     free_by_owner(b, it);
     atomic { b = 0; it = 0 }
  :: else -> break
  od;
  _nr_pr == 1;
  delayed_free(0);
  if
  :: heap_lives[1] -> delayed_free(1)
  :: else
  fi;
  do
  :: p < PAGES ->
     if
     :: page_lives[p] ->
        if
        :: !in_full[p] -> collect(p)
        :: else
        fi;
        HOLDS(no_loss, used[p] == 0 && !in_full[p]);
        end_page(p)
     :: else
     fi;
     p++
  :: else -> break
  od
}

#ifdef LIVENESS
ltl settle_ends { [] (settling -> <> !settling) }
#endif
