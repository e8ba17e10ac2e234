/* Model 2: the owner of a segment. One slot, THREADS threads with ids from 1, VISITORS threads that
   pin the segment and purge what is wholly free in it. A thread makes a segment in the slot if that
   is free, hands out blocks in it, frees what it holds, wherever that is, exits (which abandons the
   segment) and begins anew, and adopts what another one abandoned: when it wants memory, or when it
   frees a block there; with SPARE, it may also hold the segment then and free just that page. At the
   end, who adopts all that is left must be able to free all of it.

   FORK: thread 1 forks at any moment; the others make no further step. What they were doing stays
   undone, and a thread with the id 2 begins in the child. */

#ifndef PAGES
#define PAGES 1
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef VISITORS
#define VISITORS 1
#endif
#define HEAPS 4
#include "protocol.pml"

hidden byte one_owner, mark_count, segment_end, pinned;

#define ORPHAN 9
#define GONE 9  /* a thread that a forked child does not have */
#define LOST 23
#define LIVE 8

byte thread_id;
bit mark;         /* the segment's bit in chunk->abandoned */
bit missed;       /* its bit in chunk->missed */
byte abandoned;   /* mi_abandoned_count */
bit slot_free;    /* its bit in chunk->free */
byte pins;        /* LIVE and a number */
byte seg_used;
byte abandoned_pages;

/* What the program does not know. */
byte owner;       /* the thread that owns the segment */
bit busy[HEAPS];  /* the thread is inside of free */
bit stopping;
bit forked;
byte finished;

#ifdef FORK
/* Thread 1 and, with the highest number, the thread that begins in the child. */
#define RUNS provided (!forked || _pid == 1 || _pid > THREADS + VISITORS)
#else
#define RUNS
#endif

/* Any access to the segment. */
#define THERE HOLDS(segment_end, !slot_free)
#define MINE HOLDS(one_owner, owner == me && !mark)

/* ---- The segment's end ---- */

inline release() {
  atomic {
    HOLDS(pinned, !slot_free && pins == 0);
    HOLDS(segment_end, seg_used == 0);
    slot_free = 1
  }
}

inline end_segment() {
  thread_id = 0;
  atomic {
    MINE;
    owner = 0;
    wanted = pins;
    pins = pins & 7
  }
#ifdef RELEASE_PINNED
  release();
#else
  if
  :: wanted == LIVE -> release()
  :: else
  fi;
#endif
  wanted = 0
}

/* mi_segment_page_free */
inline free_page(p) {
  MINE;
  end_page(p);
  seg_used--;
  if
  :: seg_used == 0 -> end_segment()
  :: else
  fi
}

/* ---- Abandoned and adopted ---- */

/* mi_segment_abandon. The owner owns it until the mark is set. */
inline abandon_segment() {
#ifdef MARK_FIRST
  atomic { MINE; owner = 0; mark = 1 }
#endif
  atomic { abandoned_pages = 0; thread_id = 0 }
  abandoned++;
#ifndef MARK_FIRST
  atomic {
    HOLDS(one_owner, owner == me && !mark && thread_id == 0);
    owner = 0; mark = 1;
    HOLDS(mark_count, abandoned >= mark)
  }
#endif
#ifndef FORK /* there it would be too much to search */
  it = 2 /* abandon_heap looks at every page then */
#endif
}

/* Clears the mark; `wanted` says whether it was set. */
inline clear_mark() {
#ifdef CLEAR_IN_TWO_STEPS
  wanted = mark;
  atomic { mark = 0;
#else
  atomic {
    wanted = mark;
    mark = 0;
#endif
    if
    :: wanted -> HOLDS(one_owner, owner == 0); owner = me; THERE
    :: else
    fi
  }
}

/* own, and take_pages of reclaim.c */
inline take_over() {
  abandoned--;
  thread_id = me;
  wanted = 0;
  do
  :: p < PAGES && owner == me -> /* none is left once the segment is gone */
     if
     :: page_lives[p] ->
        collect(p);
        if
        :: used[p] == 0 -> free_page(p)
        :: else -> page_heap[p] = me
        fi
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0
}

inline adopt_next() {
  if
  :: abandoned > 0 && mark -> clear_mark();
     if
     :: wanted -> take_over()
     :: else
     fi
  :: else
  fi
}

/* ---- A thread ---- */

inline new_segment() {
  atomic { wanted = slot_free; slot_free = 0 }
  if
  :: wanted ->
     wanted = 0;
     atomic {
       HOLDS(pinned, pins == 0);
       HOLDS(one_owner, owner == 0 && !mark);
       owner = me; thread_id = me
     }
     pins = LIVE;
     new_page(0)
  :: else
  fi
}

inline new_page(p) {
  atomic {
    MINE;
    HOLDS(page_end, thread_free[p] == 0);
    page_lives[p] = 1; page_heap[p] = me; seg_used++
  }
}

inline settle_heap() {
  ending[me] = 1;
  do
  :: p < PAGES ->
     if
     :: page_lives[p] && page_heap[p] == me -> settle(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
  do
  :: delayed[me] != 0 -> delayed_free(me)
  :: else -> break
  od
}

/* mi_abandoned_hold; `wanted` says whether it did. Who holds the segment is its owner in all but name. */
inline hold() {
  clear_mark();
  if
  :: !wanted ->
     missed = 1;
     clear_mark()
  :: else
  fi
}

/* free_empty of reclaim.c, of one page. */
inline free_held(p) {
  if
  :: page_lives[p] && (COUNT(thread_free[p]) == used[p] || thread_free[p] == (WHOLE | NORMAL)) ->
     STATE(thread_free[p]) != BUSY;
     collect(p);
     if
     :: used[p] == 0 && seg_used == 1 -> abandoned--; free_page(p)
     :: used[p] == 0 && seg_used > 1 -> free_page(p)
     :: else
     fi
  :: else
  fi
}

/* mi_heap_free_abandoned_page: by who pushed the last block, or, as it may be, by somebody else. */
inline free_abandoned_page(p) {
  hold();
  do
  :: wanted ->
     wanted = 0;
     free_held(p);
     if
     :: it == 2 && owner == me && PAGES > 1 -> p = 1 - p; free_held(p)
     :: else
     fi;
     if
     :: owner == me ->
        atomic { HOLDS(one_owner, !mark && thread_id == 0); owner = 0; mark = 1; HOLDS(mark_count, abandoned >= mark) }
        atomic { wanted = missed; missed = 0 }
        if
        :: wanted -> wanted = 0; it = 2; hold()
        :: else
        fi
     :: else
     fi
  :: else -> break
  od;
  it = 0
}

/* mi_heap_abandon, by a thread that owns the segment. */
inline abandon_heap() {
  settle_heap();
  do
  :: p < PAGES && owner == me ->
     if
     :: page_lives[p] ->
        collect(p);
        if
        :: used[p] == 0 -> free_page(p)
        :: else
        fi
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
  do
  :: p < PAGES && owner == me ->
     if
     :: page_lives[p] ->
        atomic { in_full[p] = 0; page_heap[p] = 0; abandoned_pages++ }
        if
        :: abandoned_pages == seg_used -> abandon_segment()
        :: else
        fi
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
  if
  :: it == 2 -> free_abandoned_page(p); p = 0
  :: else
  fi;
  end_heap()
}

/* The thread's memory goes. It may begin anew, with the same id. */
inline end_heap() {
  atomic {
    HOLDS(heap_end, telling[me] == 0 && delayed[me] == 0);
    ending[me] = 0; p = 0
  }
}

inline free_mine(b) {
  atomic { MINE; THERE; p = PAGE_OF(b) }
  free_by_owner(b, p);
  if
  :: used[p] == 0 && !in_full[p] -> free_page(p)
  :: else
  fi;
  p = 0
}

/* mi_free_slow */
inline free(b) {
  atomic { THERE; busy[me] = 1; word = thread_id }
  if
  :: word == me -> word = 0; free_mine(b)
  :: else ->
#ifdef ADOPT_UNMARKED
     if
     :: word == 0 -> wanted = 1; owner = me
     :: else
     fi;
#else
     if
     :: word == 0 -> word = 0; clear_mark()
#ifdef SPARE
     :: word == 0 -> word = 0; it = 1 /* the thread has pages to spare */
#endif
     :: else -> word = 0
     fi;
#endif
     if
     :: wanted -> take_over(); free_mine(b)
     :: else ->
        p = PAGE_OF(b);
        free_by_other(b, p);
        if
        :: it == 1 -> free_abandoned_page(p)
        :: else
        fi;
        p = 0
     fi
  fi;
  busy[me] = 0
}

inline hand_out(p) {
  lowest_in(b, p, FREE);
  if
  :: b != 0 ->
     if
     :: atomic { !stopping -> place[b] = 1; used[p]++; b = 0 }
     :: atomic { !stopping -> place[b] = 2; used[p]++; b = 0 }
#if THREADS > 2
     :: atomic { !stopping -> place[b] = 3; used[p]++; b = 0 }
#endif
     :: stopping -> b = 0
     fi
  :: else ->
     collect(p);
     lowest_in(b, p, FREE);
     if
     :: b != 0 -> b = 0
     :: else -> set_full(p); wanted = 0
     fi
  fi
}

inline use_page(p) {
  if
  :: page_lives[p] ->
     if
     :: !in_full[p] -> hand_out(p)
     :: else
     fi
  :: else -> new_page(p)
  fi
}

inline empty_pages() {
  p = 0;
  do
  :: p < PAGES && owner == me ->
     if
     :: page_lives[p] && used[p] == 0 && !in_full[p] && page_heap[p] == me -> free_page(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0
}

#ifdef FORK
/* What the fork did: the other threads are gone, with the blocks they were just freeing. The rest
   of their blocks the child can free, and does. */
inline fork_threads() {
  atomic {
    forked = 1;
    i = 1;
    do
    :: i < ALL ->
       if
       :: (place[i] == 2 || place[i] == 3) && busy[place[i]] -> place[i] = LOST
       :: (place[i] == 2 || place[i] == 3) && !busy[place[i]] -> place[i] = me
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    if
    :: owner > me -> owner = GONE
    :: else
    fi
  }
}

/* mi_page_forget_other_thread */
inline forget_other_thread(p) {
  atomic {
    working[p] = 0;
    i = FIRST(p);
    do
    :: i < PAST(p) ->
       if
       :: place[i] == PURGING -> place[i] = PURGED
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0;
#ifndef KEEP_NOTIFYING
    if
    :: STATE(thread_free[p]) == BUSY -> thread_free[p] = thread_free[p] & ~3
    :: else
    fi
#endif
  }
}

/* mi_heap_delayed_free_in_child, of one page. */
inline complete_in_child(p) {
  forget_other_thread(p);
  if
  :: in_full[p] && STATE(thread_free[p]) != FULL ->
     atomic { in_full[p] = 0; notices[p] = 0; listed[p] = 0; delayed_next[p] = 0 }
     collect(p)
  :: else
  fi
}

/* mi_process_in_forked_child of heap/fork.c */
inline in_forked_child() {
  atomic {
    wanted = pins;
    pins = pins & LIVE;
    if
    :: wanted != 0 && !(wanted & LIVE) -> wanted = 1
    :: else -> wanted = 0
    fi
  }
  if
  :: wanted -> release(); wanted = 0
  :: else
  fi;
#ifndef KEEP_LOST
  atomic {
    if
    :: !slot_free && pins == 0 -> slot_free = 1; owner = 0; thread_id = 0
    :: else
    fi
  }
#endif
  HOLDS(no_loss, slot_free || pins == LIVE);
#ifndef SKIP_ORPHANS
  if
  :: !slot_free && thread_id != 0 && thread_id != me -> thread_id = ORPHAN
  :: else
  fi;
#endif
  p = 0;
  do
  :: p < PAGES ->
     if
     :: pins == LIVE -> forget_other_thread(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  atomic { delayed[me] = 0; telling[me] = 0; p = 0 }
  do
  :: p < PAGES ->
     if
     :: page_lives[p] && owner == me -> complete_in_child(p)
     :: else
     fi;
     p++
  :: else -> break
  od;
  empty_pages();
}
#endif

proctype thread(byte me) RUNS {
  short word, wanted;
  byte chain, later, kept, it, i, b, p, block;
  do
  :: ANY(me) && (!stopping || thread_id != me) -> lowest(block, me); free(block); block = 0
  :: thread_id == me && !stopping -> use_page(0)
#if PAGES > 1
  :: thread_id == me && !stopping -> p = 1; use_page(p); p = 0
#endif
  :: delayed[me] != 0 && !stopping -> delayed_free(me); empty_pages()
  :: slot_free && !stopping -> new_segment()
  :: abandoned > 0 && mark && !stopping -> adopt_next()
  :: thread_id == me -> abandon_heap()
  :: stopping = 1
  :: stopping && thread_id != me && !ANY(me) -> break
#ifdef FORK
  :: atomic { me == 1 && !forked && !stopping -> fork_threads() } in_forked_child(); run thread(2)
#endif
  od;
#ifdef FORK
  if
  :: forked -> finished++
  :: else
  fi
#endif
}

/* page/scavenge.c with segment/pin.c */
proctype visitor() RUNS {
  short word, wanted;
  byte i, pin;
  byte me = 5;
  do
  :: stopping -> break
  :: pins & LIVE ->
     pin = pins;
     do
     :: !(pin & LIVE) -> pin = 0; break
     :: else ->
        atomic {
          if
          :: pins == pin -> pins = pins + 1; pin = 1; THERE
          :: else -> pin = pins
          fi
        }
        if
        :: pin == 1 -> break
        :: else
        fi
     od;
     if
     :: pin == 1 ->
        THERE;
        scavenge(0);
#if PAGES > 1
        THERE;
        scavenge(1);
#endif
        THERE;
#ifdef UNPIN_IN_TWO_STEPS
        wanted = pins;
        pins = wanted - 1;
#else
        atomic { wanted = pins; pins = pins - 1 }
#endif
        if
        :: wanted == 1 -> wanted = 0; release()
        :: else -> wanted = 0
        fi
     :: else
     fi;
     pin = 0
  od
}

init {
  short word, wanted;
  byte i, later, p;
  byte me = 1;
  atomic {
    slot_free = 1;
    heap_lives[1] = 1; heap_lives[2] = 1; heap_lives[3] = 1;
    run thread(1);
    run thread(2);
#if THREADS > 2
    run thread(3);
#endif
#if VISITORS > 0
    run visitor()
#endif
  }
#ifdef FORK
  if
  :: _nr_pr == 1 -> goto all_ended
  :: finished == 2 /* the child's threads; those that are not there stand still for ever */
  fi;
  do
  :: finished = 2
  od;
all_ended:
#endif
  _nr_pr == 1;
  /* mi_heap_reclaim_all */
  adopt_next();
  HOLDS(mark_count, abandoned == 0 && !mark);
  HOLDS(no_loss, slot_free && seg_used == 0 && owner == 0)
}
