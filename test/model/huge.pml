/* Model 4: a huge page has one block. Its owner gives it to another thread, moves it to another heap
   or ends; the other thread frees it at any time. One of them frees the segment. */

#define PAGES 1
#define BLOCKS 1
#define HEAPS 3
#define HUGE 1
#include "protocol.pml"

proctype other(byte me) {
  short word, wanted;
  byte chain, i;
  place[1] == me;
  free_by_other(1, 0)
}

active proctype owner() {
  short word, wanted;
  byte chain, later, kept, it, i;
  byte me = 1;
  atomic {
    page_lives[0] = 1; used[0] = 1; page_heap[0] = 1; heap_lives[1] = 1; heap_lives[2] = 1;
    thread_free[0] = FULL; in_full[0] = 1;
    place[1] = 2;
    run other(2)
  }
  do
  :: delayed[1] != 0 -> delayed_free(1);
     if
     :: used[0] == 0 -> break
     :: else
     fi
  :: page_heap[0] == 1 && freed == 0 -> /* mi_heap_absorb */
     ending[1] = 1;
     settle(0);
     delayed_free(1);
     if
     :: used[0] == 0 -> break
     :: else
     fi;
     atomic { page_heap[0] = 2; in_full[0] = 0 }
     atomic { HOLDS(heap_end, telling[1] == 0 && delayed[1] == 0); heap_lives[1] = 0; ending[1] = 0 }
     set_full(0);
     if
     :: !wanted -> collect(0); break
     :: else -> wanted = 0
     fi
  :: page_heap[0] == 2 && delayed[2] != 0 -> delayed_free(2);
     if
     :: used[0] == 0 -> break
     :: else
     fi
  :: /* mi_heap_abandon */
     it = page_heap[0];
     ending[it] = 1;
     settle(0);
     delayed_free(it);
     if
     :: used[0] == 0 -> break
     :: else
     fi;
     atomic { page_heap[0] = 0; in_full[0] = 0; heap_lives[1] = 0; heap_lives[2] = 0 }
#ifdef UNOWNED_BLINDLY
     atomic { thread_free[0] = UNOWNED; wanted = 1 }
#else
     atomic {
       if
       :: thread_free[0] == NORMAL -> thread_free[0] = UNOWNED; wanted = 1
       :: else
       fi
     }
#endif
     if
     :: wanted -> goto ended
     :: else -> free_segment(); goto ended
     fi
  od;
  HOLDS(no_loss, used[0] == 0);
  free_segment();
ended:
  _nr_pr == 1;
  HOLDS(one_freer, freed == 1)
}
