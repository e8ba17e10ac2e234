/* Model 5: the magazine of one thread, and VISITORS threads that look into it: heap/magazine.h, magazine_fence.c and
   magazine_sweep.c, one atomic operation to one step. The owner takes STEPS steps in any order: it hands out blocks and
   frees them, has its magazine watched, settles, and lets another thread have it. Then it sleeps, and what it freed
   must come back to the page. Not modelled: a fence that the system comes to refuse, and where the owner empties slots
   in use, by exchanges. */

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef VISITORS
#define VISITORS 2
#endif
#ifndef STEPS
#define STEPS 8
#endif

/* A slot: the block, and whether it was there at the last look. */
#define SEEN 1
#define BLOCK(word) (word >> 1)
byte slot[SLOTS];
byte count;
bit watched, was_watched, announced, looking;
byte visitors, takers;
bit by_exchange, can_fence;
byte forced;
bit on_its_way; /* the owner has looked at takers, and its store to count is still on the way */
bit due; /* now or later: when, is not modelled */

/* What the model knows and the program does not. */
#define ON_PAGE 0
#define ALIVE 1
#define INSIDE 2
#define TAKEN 3
byte place[SLOTS + 1];
bit pushing;  /* the owner has not done both: put the block in, and asked whether a look comes */
bit too_late; /* the same push, when the first look that found nothing was over */

#define HOLDS(name, x) assert(name || (x))
hidden byte one_place, settled, no_loss;

#define ANY(where) (place[1] == where || (SLOTS > 1 && place[2] == where))
inline some_block(where) {
  if
  :: place[1] == where -> b = 1
  :: else -> b = 2
  fi
}

inline announce() { announced = 1; due = 1 }

inline push() {
  atomic { some_block(ALIVE); pushing = 1 }
  if
  :: atomic { slot[count] = b << 1; place[b] = INSIDE }
     count++;
     asked = announced
  :: /* as a processor does, with its store on the way */
     asked = announced;
     atomic { slot[count] = b << 1; place[b] = INSIDE }
     count++
  fi;
  atomic { pushing = 0; too_late = 0 }
  if
  :: watched && !asked -> announce()
  :: else
  fi;
  atomic { b = 0; asked = 0 }
}

/* mi_magazine_lower, mi_magazine_empty_slot */
inline empty_slot() {
  if
  :: count--;
     asked = takers > 0
  :: /* as a processor does, until it executes a fence */
     atomic { asked = takers > 0; on_its_way = 1 }
     atomic { count--; on_its_way = 0 }
  fi;
  if
#ifdef PLAIN_POP
  :: true ->
#else
  :: !asked ->
#endif
     word = slot[count];
     slot[count] = 0
  :: else -> atomic { word = slot[count]; slot[count] = 0 }
  fi;
  asked = 0
}

inline watch() {
  if
  :: !was_watched && !can_fence -> takers++; by_exchange = 1
  :: else
  fi;
  was_watched = 1; watched = 1; announce()
}

/* b: the block, or 0. */
inline pop() {
  b = 0;
  do
  :: count > 0 && b == 0 ->
     empty_slot();
     if
     :: word != 0 -> b = BLOCK(word); atomic { HOLDS(one_place, place[b] == INSIDE); place[b] = ALIVE }
     :: else
     fi;
     word = 0
  :: else -> break
  od
}

inline settle() {
  do
  :: pop();
     if
     :: b != 0 -> place[b] = ON_PAGE
     :: else -> break
     fi
  od;
  visitors == 0;
  HOLDS(settled, !ANY(TAKEN) && !ANY(INSIDE))
}

active proctype owner() {
  byte b, word, steps;
  bit asked;
#ifdef FORCED
  watch();
#endif
  do
  :: steps == STEPS -> break
  :: else ->
     steps++;
     if
     :: ANY(ON_PAGE) -> atomic { some_block(ON_PAGE); place[b] = ALIVE; b = 0 }
     :: ANY(ALIVE) && count < SLOTS -> push()
     :: count > 0 -> pop(); b = 0
     :: !watched -> watch()
     :: settle()
     :: settle(); watched = 0
     fi
  od;
  if
  :: !watched -> watch()
  :: else
  fi;
  do
  :: ANY(ALIVE) -> atomic { some_block(ALIVE); place[b] = ON_PAGE; b = 0 }
  :: else -> break
  od
}

inline look_at(i) {
#ifdef TAKE_BLINDLY
  in_use = 1;
#else
  in_use = i < count;
#endif
  if
  :: in_use && slot[i] != 0 ->
#ifndef COUNT_LATE
     visitors++;
#endif
     word = slot[i];
     if
     :: word == 0
     :: else ->
        takes = (word & SEEN || force) && may_take;
        atomic {
          if
          :: slot[i] != word -> some = 1
          :: slot[i] == word && !takes -> slot[i] = word | SEEN; some = 1
          :: slot[i] == word && takes ->
             slot[i] = 0; b = BLOCK(word);
             HOLDS(one_place, place[b] == INSIDE); place[b] = TAKEN
          fi;
          takes = 0
        }
#ifdef COUNT_LATE
        visitors++;
#endif
        if
        :: b != 0 -> place[b] = ON_PAGE; b = 0
        :: else
        fi;
#ifdef COUNT_LATE
        visitors--;
#endif
     fi;
     word = 0;
#ifndef COUNT_LATE
     visitors--
#endif
  :: else
  fi
}

/* Also if there is nothing to take. */
inline begin_taking() {
  takers++;
  asked = can_fence;
  if
#ifndef NO_FENCE
  :: asked -> !on_its_way
#endif
  :: else
  fi
}

inline ask_whether_to_take() {
  if
  :: by_exchange ->
     if
     :: asked ->
#ifdef CONVERT_BLINDLY
        by_exchange = 0; takers--
#else
        atomic {
          if
          :: by_exchange -> by_exchange = 0; takers--
          :: else
          fi
        }
#endif
     :: else
     fi;
     may_take = 1
  :: else -> may_take = asked
  fi
}

inline sweep() {
  if
  :: watched ->
     begin_taking();
     ask_whether_to_take();
     look_at(0);
#if SLOTS > 1
     look_at(1);
#endif
     atomic { takers--; may_take = 0; asked = 0 }
  :: else
  fi
}

inline round() {
  is_last = !announced;
  sweep();
  if
  :: some -> announce()
  :: !some && !is_last ->
     atomic { announced = 0; too_late = pushing }
#ifdef ONE_LOOK
     due = 0
#endif
  :: !some && is_last ->
#ifdef QUESTION_FIRST
     asked = announced;
#endif
     due = 0;
#ifndef QUESTION_FIRST
     asked = announced;
#endif
     if
     :: asked -> announce()
     :: else
     fi
  fi;
  atomic { some = 0; asked = 0; is_last = 0 }
}

active [VISITORS] proctype visitor() {
  byte b, word;
  bit some, is_last, asked, may_take, force, in_use, takes;
  do
  :: !can_fence -> can_fence = 1 /* at any time, or never */
#ifdef FORCED
  :: forced < FORCED -> forced++; force = 1; sweep(); atomic { force = 0; some = 0 } /* mi_magazine_take_all */
#endif
#ifdef TOGETHER
  :: due && !too_late -> round()
#else
  :: due && !too_late ->
     if
     :: atomic { !looking -> looking = 1 }
        if
        :: due && !too_late -> round()
        :: else
        fi;
        looking = 0
     :: looking
     fi
#endif
  :: timeout -> break
  od;
  HOLDS(no_loss, !ANY(INSIDE) && !ANY(TAKEN))
}
