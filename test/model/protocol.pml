/* The word thread_free and the delayed list: what heap/delayed.c, heap/queue.c, page/page.c and
   page/collect.c do, one atomic operation of theirs to one step of the model. What only one thread
   can see is done together with the operation before or after it.

   A process that uses this declares the registers `word`, `wanted`, `chain`, `later`, `i` (bytes or
   shorts) and knows itself as `me`.

   Blocks have numbers from 1; block b lies in page (b - 1) / BLOCKS. The owner's `free` and
   `local_free` are one set here (FREE): their order is nobody's business but the owner's. */

#ifndef HUGE
#define HUGE 0
#endif

/* mi_page_quota: a full page of which its owner or others freed so many blocks is looked at. */
#ifndef QUOTA
#define QUOTA 1
#endif

#define PAGE_OF(b) ((b - 1) / BLOCKS)
#define FIRST(p) (p * BLOCKS + 1)
#define PAST(p) (p * BLOCKS + BLOCKS + 1)
#define ALL (PAGES * BLOCKS + 1)

/* The word: state, WHOLE, count, list. */
#define NORMAL 0
#define FULL 1
#define BUSY 2
#define UNOWNED 3
#define WHOLE 4
#define STATE(w) (w & 3)
#define COUNT(w) ((w >> 3) & 7)
#define LIST(w) (w >> 6)
#define MAKE(list, count, bits) ((list << 6) | (count << 3) | (bits))

short thread_free[PAGES];
byte next[ALL];
byte page_heap[PAGES];
byte delayed[HEAPS];       /* page + 1, or 0 */
byte delayed_next[PAGES];
byte used[PAGES];
bit in_full[PAGES];
#ifdef SHARING
bit shared[PAGES]; /* the owner frees on thread_free, too */
#endif

/* What the model knows and the program does not. */
#define FREE 0
#define SHARED 20  /* on thread_free */
#define PURGING 21 /* in the hands of a thread that purges the page */
#define PURGED 22
#define HOLE 23    /* counted on thread_free, and in holes[] */
#define TAKEN 24   /* in the owner's hands, before the holes of the list are filled */
byte place[ALL];           /* one of these, or the number of the thread that holds the block */
bit page_lives[PAGES];
bit heap_lives[HEAPS];
byte notices[PAGES];       /* begun and not yet read by the owner */
bit listed[PAGES];         /* on a delayed list */
byte working[PAGES];       /* threads that may still touch the page, and hold no block of it */
byte telling[HEAPS];       /* threads that may still touch the heap */
bit ending[HEAPS];         /* the owner is settling it */

/* assert(name || x): a failing assertion prints the name of the invariant. */
#define HOLDS(name, x) assert(name || (x))
hidden byte one_list, no_loss, full_is_short, page_end, heap_end, purge_alone;
/* Off when a broken protocol shall show what else fails. */
#ifdef IGNORE_ONE_NOTICE
hidden byte one_notice = 1;
#else
hidden byte one_notice;
#endif

/* At any moment. */
inline check_page(p) {
  HOLDS(full_is_short, STATE(thread_free[p]) != FULL ||
                       (COUNT(thread_free[p]) < QUOTA && !(thread_free[p] & WHOLE) && in_full[p]));
  HOLDS(one_notice, notices[p] <= 1 && (!notices[p] || in_full[p]));
  HOLDS(one_notice, !in_full[p] || STATE(thread_free[p]) == FULL || notices[p] == 1 ||
                    ending[page_heap[p]]);
}

/* ---- Another thread frees block b ---- */

#if HUGE
hidden byte one_freer;
byte freed;

/* mi_huge_page_free */
inline free_segment() {
  atomic { HOLDS(one_freer, freed == 0); freed++; page_lives[0] = 0 }
}
#endif

inline push_delayed(h, p) {
  atomic { HOLDS(heap_end, heap_lives[h]); chain = delayed[h] }
  do
  :: atomic {
       HOLDS(heap_end, heap_lives[h]);
       HOLDS(one_list, !listed[p] || delayed[h] != chain);
       HOLDS(page_end, page_lives[p]);
       delayed_next[p] = chain;
       if
       :: delayed[h] == chain -> delayed[h] = p + 1; listed[p] = 1; chain = 255
       :: else -> chain = delayed[h]
       fi
     }
     if
     :: chain == 255 -> chain = 0; break
     :: else
     fi
  od
}

#define TELLS(w) (STATE(w) == FULL && COUNT(w) + 1 >= QUOTA)
#define PUSHED(w, b, p)                                                                            \
  (MAKE(b, (COUNT(w) + 1), (TELLS(w) -> BUSY : STATE(w))) |                                   \
   (COUNT(w) + 1 == BLOCKS && !HUGE -> WHOLE : 0))

inline free_by_other(b, p) {
  atomic { HOLDS(page_end, page_lives[p]); word = thread_free[p] }
  do
#if HUGE
  :: STATE(word) == UNOWNED -> free_segment(); break
#endif
  :: atomic {
       STATE(word) != UNOWNED;
       HOLDS(page_end, page_lives[p]);
       HOLDS(one_list, place[b] == me);
       next[b] = LIST(word);
       wanted = PUSHED(word, b, p);
#ifdef DROP_NOTIFYING
       wanted = (wanted & ~3) | NORMAL;
#endif
       if
       :: thread_free[p] == word ->
          thread_free[p] = wanted;
          place[b] = SHARED;
          if
          :: TELLS(word) -> notices[p]++; working[p]++; telling[page_heap[p]]++
          :: else
          fi;
          wanted = 0
       :: else -> word = thread_free[p]
       fi;
       check_page(p)
     }
     if
     :: wanted == 0 -> break
     :: else
     fi
  od;
  if
  :: TELLS(word) ->
     atomic { HOLDS(page_end, page_lives[p]); wanted = page_heap[p] }
#ifdef NORMAL_BEFORE_PUSH
     atomic { thread_free[p] = thread_free[p] & ~3 }
#endif
     push_delayed(wanted, p);
     atomic {
       HOLDS(page_end, page_lives[p]);
#ifndef STAY_NOTIFYING
       thread_free[p] = thread_free[p] & ~3;
#endif
       working[p]--;
       telling[wanted]--;
       check_page(p)
     }
  :: else
  fi;
  word = 0; wanted = 0
}

/* ---- Another thread purges blocks that wait on thread_free (page/scavenge.c) ----

   All of a page, or with BLOCKWISE, as in medium and large pages, those that are there. */

#ifdef BLOCKWISE
byte purged[PAGES];
#define WORTH(w, p) (LIST(w) != 0 && STATE(w) == NORMAL && ((w & WHOLE) || LIST(w) != purged[p]))
#else
#define WORTH(w, p) (LIST(w) != 0 && STATE(w) == NORMAL && (w & WHOLE))
#endif

/* The blocks of the list from b on go from one place to another; `i` is the last one. */
inline move_list(b, from, to) {
  i = b;
  do
  :: HOLDS(purge_alone, place[i] == from);
     place[i] = to;
     if
     :: next[i] == 0 -> break
     :: else -> i = next[i]
     fi
  od
}

inline scavenge(p) {
  word = thread_free[p];
  do
  :: !WORTH(word, p) -> break
  :: else ->
     atomic {
       if
       :: thread_free[p] == word ->
          thread_free[p] = (word & WHOLE) | BUSY;
          working[p]++;
          move_list(LIST(word), SHARED, PURGING);
          i = 0; wanted = 1
       :: else -> word = thread_free[p]
       fi
     }
     if
     :: wanted == 0
     :: else ->
        if
        :: word & WHOLE ->
           /* The purge. */
           atomic {
             HOLDS(purge_alone, thread_free[p] == (WHOLE | BUSY) && page_lives[p]);
             thread_free[p] = WHOLE | NORMAL;
#ifdef HOLES
             i = FIRST(p);
             do
             :: i < PAST(p) ->
                if
                :: place[i] == HOLE -> place[i] = PURGING
                :: else
                fi;
                i++
             :: else -> break
             od;
             holes[p] = 0;
#endif
             working[p]--;
             i = FIRST(p);
             do
             :: i < PAST(p) ->
                HOLDS(purge_alone, place[i] == PURGING);
                place[i] = PURGED; next[i] = 0; i++
             :: else -> break
             od;
             i = 0; check_page(p)
           }
        :: else -> put_back(p)
        fi;
        break
     fi
  od;
  word = 0; wanted = 0
}

#ifdef HOLES
byte holes[PAGES]; /* bit per block */
#define HOLE_BIT(b, p) (1 << (b - FIRST(p)))
#define HOLE_COUNT(h) ((h & 1) + ((h >> 1) & 1) + ((h >> 2) & 1))

/* mi_page_make_holes: any of the blocks behind the first one of `list`, if the list and the holes
   that there are make up `count`. */
inline make_holes(p) {
  atomic {
    known = holes[p];
    i = list; later = 0;
    do
    :: i != 0 -> later++; i = next[i]
    :: else -> break
    od;
    fits = (later + HOLE_COUNT(known) == count);
    later = 0
  }
  if
  :: fits ->
     atomic {
       i = list;
       do
       :: next[i] != 0 ->
          if
          :: later = next[i];
             HOLDS(purge_alone, place[later] == PURGING && !(known & HOLE_BIT(later, p)));
             place[later] = HOLE; known = known | HOLE_BIT(later, p);
             next[i] = next[later]; next[later] = 0; later = 0
          :: i = next[i]
          fi
       :: else -> break
       od;
       if
       :: known != holes[p] -> holes[p] = known
       :: else
       fi;
       i = 0
     }
  :: else
  fi;
  known = 0; fits = 0
}

/* mi_page_fill_holes, for the list `later` of `count` blocks that the owner took. */
inline fill_holes(p) {
  if
  :: holes[p] != 0 ->
     atomic {
       i = later; it_count = 0;
       do
       :: i != 0 -> it_count++; i = next[i]
       :: else -> break
       od
     }
#ifndef FILL_BLINDLY
     if
     :: it_count + HOLE_COUNT(holes[p]) == count ->
#endif
        atomic {
          i = FIRST(p);
          do
          :: i < PAST(p) ->
             if
             :: holes[p] & HOLE_BIT(i, p) ->
                HOLDS(one_list, place[i] == HOLE);
                place[i] = TAKEN; next[i] = later; later = i
             :: else
             fi;
             i++
          :: else -> break
          od;
          i = 0
        }
        holes[p] = 0
#ifndef FILL_BLINDLY
     :: else
     fi
#endif
  :: else
  fi;
  it_count = 0
}
#endif

#ifdef BLOCKWISE
inline put_back(p) {
  atomic { list = LIST(word); count = COUNT(word) }
  purged[p] = list;
#ifdef HOLES
  make_holes(p);
#endif
  word = thread_free[p];
  do
  :: atomic {
       HOLDS(page_end, page_lives[p]);
       if
       :: thread_free[p] == word && LIST(word) == 0 ->
          thread_free[p] = MAKE(list, count, (count == BLOCKS -> WHOLE : 0));
          move_list(list, PURGING, SHARED);
          working[p]--;
          list = 0; count = 0; i = 0
       :: thread_free[p] == word && LIST(word) != 0 ->
          thread_free[p] = BUSY;
          move_list(LIST(word), SHARED, PURGING);
          next[i] = list; list = LIST(word); count = count + COUNT(word);
          word = BUSY; i = 0
       :: thread_free[p] != word -> word = thread_free[p]
       fi;
       check_page(p)
     }
     if
     :: list == 0 -> break
     :: else
     fi
  od
}
#else
inline put_back(p) { assert(false) }
#endif

/* ---- The owner ---- */

/* What the owner took from the word w becomes free. */
inline take(p, w) {
  if
  :: LIST(w) == 0 -> /* start_anew */
     i = FIRST(p);
     do
     :: i < PAST(p) -> HOLDS(one_list, place[i] == PURGED); place[i] = FREE; i++
     :: else -> break
     od;
     HOLDS(one_list, used[p] == BLOCKS);
     used[p] = 0
  :: else ->
     i = LIST(w);
     wanted = 0;
     do
     :: i != 0 ->
        HOLDS(one_list, place[i] == SHARED && PAGE_OF(i) == p);
        place[i] = FREE; wanted++; used[p]--;
        later = i; i = next[i]; next[later] = 0
     :: else -> break
     od;
     HOLDS(one_list, wanted == COUNT(w))
  fi;
  i = 0; later = 0; wanted = 0
}

#ifdef HOLES
/* The list `later`, with its holes, becomes free. */
inline take_filled(p) {
  wanted = 0;
  do
  :: later != 0 ->
     HOLDS(one_list, place[later] == TAKEN && PAGE_OF(later) == p);
     place[later] = FREE; wanted++; used[p]--;
     i = later; later = next[later]; next[i] = 0
  :: else -> break
  od;
  HOLDS(one_list, wanted == count);
  i = 0; wanted = 0
}
#endif

/* mi_page_free_collect */
inline collect(p) {
#ifdef SHARING
  shared[p] = 0;
#endif
  word = thread_free[p];
  do
  :: LIST(word) == 0 && word != (WHOLE | NORMAL) -> break
  :: else ->
     atomic {
       if
       :: thread_free[p] == word ->
          thread_free[p] = STATE(word);
#ifdef HOLES
          if
          :: LIST(word) == 0 -> take(p, word); word = 0
          :: else -> move_list(LIST(word), SHARED, TAKEN); i = 0
          fi;
#else
          take(p, word); word = 0;
#endif
#ifdef BLOCKWISE
          purged[p] = 0
#endif
       :: else -> word = thread_free[p]
       fi;
       check_page(p)
     }
#ifdef HOLES
     if
     :: LIST(word) != 0 && place[LIST(word)] == TAKEN ->
        atomic { later = LIST(word); count = COUNT(word) }
        fill_holes(p);
        atomic { take_filled(p); word = 0; count = 0 }
     :: else
     fi
#endif
  od;
  word = 0
}

/* mi_page_set_full with what mi_page_to_full does next; `wanted` says whether it did. */
inline set_full(p) {
  atomic {
    if
    :: thread_free[p] == NORMAL ->
       HOLDS(one_notice, notices[p] == 0);
       thread_free[p] = FULL; in_full[p] = 1; wanted = 1;
#ifdef SHARING
       if
       :: shared[p] = 1
       :: true
       fi
#endif
    :: else -> wanted = 0
    fi;
    check_page(p)
  }
}

/* mi_page_clear_full, and if it did so mi_page_leave_full. */
inline clear_full(p) {
  atomic {
    if
    :: STATE(thread_free[p]) == FULL -> thread_free[p] = thread_free[p] & ~3; in_full[p] = 0
    :: else
    fi;
    check_page(p)
  }
}

/* mi_page_share, one block after the other. The process has a byte `kept_free`. */
#ifdef SHARING
inline share(p) {
  shared[p] = 1;
  do
  :: lowest_in(kept_free, p, FREE);
     if
     :: kept_free == 0 -> break
     :: else ->
        atomic { place[kept_free] = me; used[p]++ }
        free_by_other(kept_free, p)
     fi
  od
}
#endif

/* mi_heap_delayed_free. What `complete` frees is left to the caller, as a retired page is. */
inline delayed_free(h) {
  if
  :: delayed[h] == 0
  :: else ->
     atomic { later = delayed[h]; delayed[h] = 0 }
     do
     :: later != 0 ->
        atomic {
          HOLDS(page_end, page_lives[later - 1]);
          listed[later - 1] = 0;
          i = later - 1; later = delayed_next[i]; delayed_next[i] = 0;
          wanted = STATE(thread_free[i])
        }
        kept = later;
        if
#ifndef SKIP_NOTIFYING_CHECK
        :: wanted == BUSY -> it = i; i = 0; wanted = 0; push_delayed(h, it); it = 0
#endif
        :: else ->
           atomic { in_full[i] = 0; notices[i]--; it = i; i = 0; wanted = 0; later = 0 }
#ifdef SHARING
           if
           :: share(it)
           :: collect(it)
           fi;
           it = 0
#else
           collect(it); it = 0
#endif
        fi;
        later = kept; kept = 0
     :: else -> break
     od
  fi
}

/* Blocks on the list local_free of a full page. */
#define IS_FREE(b) (place[b] == FREE)
#if BLOCKS == 1
#define LOCALLY_FREE(p) IS_FREE(FIRST(p))
#elif BLOCKS == 2
#define LOCALLY_FREE(p) (IS_FREE(FIRST(p)) + IS_FREE((FIRST(p) + 1)))
#else
#define LOCALLY_FREE(p) (IS_FREE(FIRST(p)) + IS_FREE((FIRST(p) + 1)) + IS_FREE((FIRST(p) + 2)))
#endif

/* mi_page_free_block of a block that the owner holds. */
inline free_locally(b, p) {
  atomic {
    HOLDS(one_list, place[b] == me);
    place[b] = FREE;
    used[p]--
  }
  if
  :: in_full[p] && LOCALLY_FREE(p) >= QUOTA ->
     clear_full(p);
#ifdef SHARING
     if
     :: share(p)
     :: true
     fi
#endif
  :: else
  fi
}

inline free_by_owner(b, p) {
#ifdef SHARING
  if
  :: shared[p] -> free_by_other(b, p)
  :: else -> free_locally(b, p)
  fi
#else
  free_locally(b, p)
#endif
}

/* mi_page_settle, and if it cleared FULL mi_page_leave_full. */
inline settle(p) {
#ifdef SKIP_SETTLE
  true
#else
  clear_full(p);
#ifndef SETTLE_WITHOUT_WAITING
  STATE(thread_free[p]) != BUSY
#endif
#endif
}

/* The page is given back; it is empty. */
inline end_page(p) {
  atomic {
    HOLDS(page_end, used[p] == 0 && working[p] == 0 && !listed[p] && notices[p] == 0);
    HOLDS(page_end, thread_free[p] == 0);
    i = FIRST(p);
    do
    :: i < PAST(p) -> HOLDS(page_end, place[i] == FREE); i++
    :: else -> break
    od;
    i = 0;
    page_lives[p] = 0; in_full[p] = 0; page_heap[p] = 0
  }
}

/* ---- Choosing a block ---- */

/* The first block in that place; 0 if there is none. */
inline lowest(b, whose) {
  atomic {
    b = 1;
    do
    :: b < ALL && place[b] != whose -> b++
    :: else -> break
    od;
    if
    :: b == ALL -> b = 0
    :: else
    fi
  }
}

inline lowest_in(b, p, whose) {
  atomic {
    b = FIRST(p);
    do
    :: b < PAST(p) && place[b] != whose -> b++
    :: else -> break
    od;
    if
    :: b == PAST(p) -> b = 0
    :: else
    fi
  }
}

#if PAGES * BLOCKS == 1
#define ANY(who) (place[1] == who)
#elif PAGES * BLOCKS == 2
#define ANY(who) (place[1] == who || place[2] == who)
#elif PAGES * BLOCKS == 3
#define ANY(who) (place[1] == who || place[2] == who || place[3] == who)
#else
#define ANY(who) (place[1] == who || place[2] == who || place[3] == who || place[4] == who)
#endif
