/* Model 6: one page, its owner, OTHERS threads that free blocks of it, and PURGERS that purge it: segment/owner_lock.h
   and page/scavenge.c, one atomic operation to one step. The owner takes STEPS steps in any order: it allocates and
   frees without its lock, or, with it, collects the page and has malloc take from the page or not. Then it sleeps.
   Whoever then frees the last block, the page must be purged: a look that finds it not at rest sets a trap for the
   owner, and there is one more look when frees that were under way are over. Not modelled: that pages at rest are
   taken at the second look, that malloc may cease to take from a page that came to rest meanwhile, the full queue,
   holes, and the delayed list (model 1). */

#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef PURGERS
#define PURGERS 2
#endif
#ifndef STEPS
#define STEPS 6
#endif

byte list;       /* blocks on the owner's lists */
byte used;       /* as the page counts: alive, or on thread_free */
bit front;       /* malloc takes from the page, without the lock */
byte count;      /* blocks on thread_free */
bit busy, whole; /* the bits of that word; whole without blocks: the page was purged */
bit marked;      /* a round is to look at the page */
bit trap;        /* the owner's next free is to take its lock, and to mark the page */

byte inside;
bit other;
bit on_its_way; /* the owner has looked at `other`, and its store to `inside` is still on the way */
bit late;       /* the owner has freed a block, and its store to the list is still on the way */

/* What the model knows and the program does not. */
byte alive = BLOCKS;
bit last_is_free; /* the last step but for those of purgers was a free, of the last block */
bit freeing;      /* the owner is in the middle of a free without its lock */
bit one_more;     /* the trap was set since the last look */
byte in_hands; /* blocks that a thread has just taken from a list, or is about to put on one */
bit purging;
bit holds_lock; /* a purger */

#define HOLDS(name, x) assert(name || (x))
hidden byte all_dead, one_place, one_holder, no_loss;

/* mi_owner_enter */
inline enter() {
  if
  :: inside++;
     seen = other
  :: /* as a processor does, until it executes a fence */
     atomic { seen = other; on_its_way = 1 }
     atomic { inside++; on_its_way = 0 }
  fi;
  if
#ifndef ENTER_BLINDLY
  :: seen -> other == 0
#endif
  :: else
  fi;
  seen = 0;
  HOLDS(one_holder, !holds_lock)
}

/* mi_page_free_collect */
inline collect() {
  if
  :: !busy && (count > 0 || whole) ->
     atomic {
       if
       :: busy
       :: else -> taken = count; anew = whole && count == 0; count = 0; whole = 0
       fi
     }
     if
     :: anew -> list = BLOCKS; used = 0 /* to be laid out anew */
     :: else -> list = list + taken; used = used - taken
     fi;
     atomic { taken = 0; anew = 0 }
  :: else
  fi
}

active proctype owner() {
  byte steps, taken;
  bit seen, anew;
  used = BLOCKS;
  do
  :: steps == STEPS -> break
  :: else ->
     atomic { steps++; last_is_free = 0 }
     if
     :: front && list > 0 -> /* malloc */
        list--; in_hands++;
        used++;
        atomic { HOLDS(all_dead, !purging); in_hands--; alive++ }
     :: atomic { alive > 0 && trap -> alive--; in_hands++ } /* free in a trap */
        enter();
        list++;
        atomic { used--; in_hands--; last_is_free = alive + in_hands == 0 }
        trap = 0;
        if
#ifndef FREE_QUIETLY
        :: count > 0 && !marked -> marked = 1
#endif
        :: else
        fi;
        inside--
     :: atomic { alive > 0 && !trap -> alive--; in_hands++; freeing = 1 } /* free */
        if
        :: list++;
           atomic { used--; in_hands--; last_is_free = alive + in_hands == 0; freeing = 0 }
        :: /* as some processors do, until they execute a fence */
           atomic { used--; late = 1 }
           atomic { list++; late = 0; in_hands--; last_is_free = alive + in_hands == 0; freeing = 0 }
        fi
     :: enter();
        collect();
        if
        :: atomic { front = 0; last_is_free = 0 }
        :: front = 1
        fi;
        inside--
     fi
  od;
  if
  :: front ->
     enter();
     atomic { front = 0; last_is_free = 0 }
     inside--
  :: else
  fi
}

active [OTHERS] proctype freer() {
  do
  :: atomic { alive > 0 -> alive--; in_hands++ }
     atomic { count++; whole = count == BLOCKS; in_hands--; last_is_free = alive + in_hands == 0 }
     if
     :: !marked -> marked = 1
     :: else
     fi
  :: timeout -> break
  od
}

#ifdef ANY_PAGE
#define AT_REST (count > 0 && !busy && !whole && used == count)
#else
#define AT_REST (count > 0 && !busy && !whole && used == count && !front)
#endif

/* mi_owner_try_lock */
inline try_lock() {
  atomic {
    if
    :: inside == 0 && !other -> other = 1; locked = 1
    :: else
    fi
  }
  if
  :: locked ->
#ifndef NO_FENCE
     !on_its_way && !late;
#endif
     if
#ifndef LOOK_BLINDLY
     :: inside > 0 -> other = 0; locked = 0
#endif
     :: else -> holds_lock = 1
     fi
  :: else
  fi
}

inline take_at_rest() {
  rests = AT_REST;
#ifndef FENCE_ONCE
  if
  :: rests -> !late
  :: else
  fi;
#endif
  if
  :: rests && AT_REST ->
     seen = count;
     atomic {
       if
       :: count == seen && !busy && !whole -> count = 0; whole = 1; busy = 1; taken = 1
       :: else
       fi
     }
     if
     :: taken -> list = 0; used = BLOCKS
     :: else
     fi;
     seen = 0
  :: else
  fi;
  rests = 0
}

active [PURGERS] proctype purger() {
  byte seen;
  bit locked, taken, rests;
  do
#ifdef LOOK_AT_ONCE
  :: atomic { marked -> marked = 0 }
#else
  :: atomic { marked && !(one_more && freeing) -> marked = 0; one_more = 0 }
#endif
     if
     :: AT_REST ->
        try_lock();
        if
        :: locked ->
           take_at_rest();
           atomic { holds_lock = 0; locked = 0 }
           other = 0
        :: else ->
#ifndef ASK_ONCE
           marked = 1
#endif
        fi
     :: else -> /* all blocks of the page may be on thread_free */
        atomic {
          if
          :: count == BLOCKS && !busy -> count = 0; whole = 1; busy = 1; taken = 1
          :: else
          fi
        }
        if
#ifndef NO_TRAP
        :: !taken && count > 0 && !whole && !trap ->
           atomic { trap = 1; one_more = 1 }
           marked = 1
#endif
        :: else
        fi
     fi;
     if
     :: taken ->
        purging = 1;
        HOLDS(all_dead, alive == 0 && in_hands == 0);
        atomic { HOLDS(one_place, list == 0 && count == 0); purging = 0; taken = 0 }
        busy = 0
     :: else
     fi
  :: timeout -> break
  od;
  HOLDS(no_loss, !(last_is_free && AT_REST))
}
