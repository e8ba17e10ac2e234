/* Model 3: the units of one slot (segment/units.c, slot.c, purge.c). USERS threads take the slot and
   units in it, use them, and release them; PURGERS threads make rounds; one tries to unmap the
   chunk, which is this slot. Time is `early` until it is `late`; what is scheduled is due then. */

#ifndef USERS
#define USERS 2
#endif
#ifndef PURGERS
#define PURGERS 2
#endif
#define UNITS 2
#define ALL_UNITS 3

#define HOLDS(name, x) assert(name || (x))
hidden byte unit_state, one_taker, purge_due;

byte dirty;
byte clean = ALL_UNITS;
bit slot_free = 1;
bit purge_at;  /* 1: at some time */
bit next_due;
bit mapped = 1;

byte in_use;   /* units that some thread took to use them, */
byte purging;  /* and to purge them */
byte holders;  /* threads that hold the slot */
byte working;  /* threads between the release of dirty units and the announcement, or in a round */
bit stopping;

/* Each unit is in one state. */
#define TAKE(mask)                                                                                 \
  HOLDS(unit_state, (mask) == 0 || (mapped && !(in_use & (mask)) && !(purging & (mask))))
inline check_units() {
  HOLDS(unit_state, (dirty & clean) == 0 && (dirty & in_use) == 0 && (clean & in_use) == 0);
  HOLDS(unit_state, (purging & (dirty | clean | in_use)) == 0);
  HOLDS(unit_state, mapped || (dirty | clean | in_use | purging) == 0)
}

/* mi_purge_schedule with a delay, and mi_purge_announce */
inline schedule() {
  if
  :: purge_at == 0 ->
     purge_at = 1;
     if
     :: next_due == 0 -> next_due = 1
     :: else
     fi
  :: else
  fi
}

inline release_units(dirties, cleans) {
  atomic { HOLDS(unit_state, mapped); in_use = in_use & ~(cleans); clean = clean | (cleans); check_units() }
  if
  :: dirties != 0 ->
#ifdef SCHEDULE_FIRST
     schedule();
#endif
     atomic {
       working++;
       in_use = in_use & ~(dirties); dirty = dirty | (dirties); check_units()
     }
#ifndef SCHEDULE_FIRST
     schedule();
#endif
     working--
  :: else
  fi
}

/* mi_units_take; `got` is what it took if it was all. */
inline take_units(mask) {
#ifdef TAKE_IN_TWO_STEPS
  was = dirty & mask;
  atomic {
    dirty = dirty & ~mask;
#else
  atomic {
    was = dirty & mask; dirty = dirty & ~mask;
#endif
    got = 0;
    TAKE(was); in_use = in_use | was; check_units()
  }
  if
  :: was != mask ->
     atomic {
       got = clean & mask; clean = clean & ~mask;
       TAKE(got); in_use = in_use | got; check_units()
     }
  :: else
  fi;
  if
  :: (was | got) != mask -> release_units(was, got); got = 0
  :: else -> got = mask
  fi;
  was = 0
}

proctype user() {
  byte was, got, more;
  do
  :: stopping -> break
  :: slot_free ->
     atomic { was = slot_free; slot_free = 0; holders = holders + was; HOLDS(one_taker, holders <= 1) }
     if
     :: was == 0
     :: else ->
        take_units(1);
        if
        :: got ->
           /* A segment: its header is unit 0. A page comes and goes. */
           do
           :: take_units(2);
              if
              :: got -> release_units(2, 0); got = 0
              :: else
              fi
           :: break
           od;
           release_units(1, 0); got = 0
        :: else
        fi;
        atomic { HOLDS(one_taker, !slot_free); holders--; slot_free = 1 }
     fi
  od
}

/* mi_purge_round, with purge_slot */
inline round() {
  atomic {
    if
    :: next_due -> next_due = 0; working++; got = 1
    :: else
    fi
  }
  if
  :: got ->
     got = 0;
     if
     :: purge_at -> purge_slot()
     :: else
     fi;
     working--
  :: else
  fi
}

inline purge_slot() {
#ifndef CLEAR_TIME_LAST
  purge_at = 0;
#endif
  atomic { was = dirty; dirty = 0; TAKE(was); purging = purging | was; check_units() }
#ifdef CLEAR_TIME_LAST
  purge_at = 0;
#endif
  if
  :: was ->
     /* The purge. */
     atomic {
       HOLDS(unit_state, mapped && (in_use & was) == 0 && (purging & was) == was);
       purging = purging & ~was; clean = clean | was; was = 0; check_units()
     }
  :: else
  fi
}

proctype purger() {
  byte was, got;
  do
  :: stopping -> break
  :: next_due -> round()
  od
}

/* mi_purge_all: mi_chunks_unmap_free, then every slot whatever its time. */
proctype unmapper() {
  byte was, got;
  do
  :: stopping -> break
  :: working < 3 ->
     working++;
     atomic { got = slot_free; slot_free = 0; holders = holders + got; HOLDS(one_taker, holders <= 1) }
     if
     :: got ->
        atomic { was = dirty; dirty = 0; in_use = in_use | was }
        atomic { got = clean; clean = 0; in_use = in_use | got; check_units() }
        if
#ifndef UNMAP_WHILE_PURGING
        :: (was | got) != ALL_UNITS ->
           atomic { dirty = dirty | was; in_use = in_use & ~was }
           atomic { clean = clean | got; in_use = in_use & ~got; check_units() }
#endif
        :: else ->
           purge_at = 0;
           atomic { in_use = 0; mapped = 0; HOLDS(unit_state, purging == 0); check_units() }
           /* And mapped again for someone else. */
           atomic { mapped = 1; clean = ALL_UNITS }
        fi;
        was = 0;
        atomic { holders--; slot_free = 1; got = 0 }
     :: else
     fi;
     purge_slot();
     working--
  od
}

init {
  atomic {
    run user();
#if USERS > 1
    run user();
#endif
    run purger();
#if PURGERS > 1
    run purger();
#endif
    run unmapper()
  }
  stopping = 1;
  _nr_pr == 1;
  HOLDS(unit_state, (dirty | clean) == ALL_UNITS && in_use == 0 && purging == 0);
  HOLDS(one_taker, slot_free && holders == 0);
  HOLDS(purge_due, dirty == 0 || (purge_at && next_due))
}
