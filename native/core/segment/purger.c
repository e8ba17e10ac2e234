#include "segment/purger.h"

#include "os/rare.h"

/* Only where malloc is ours. If the library is a part of something else, such as Node's addon, the
   event loop gives memory back (lib/idle.ts). Tests ask for the thread. */
#if defined(MI_OVERRIDE)
#define MI_HAS_PURGER true
#else
#define MI_HAS_PURGER mi_rare(mi_rare_purger)
#endif

/* Units that must wait before a thread is worth it: 2 MiB. Less than that may stay resident. */
enum { ENOUGH = 32 };
/* The purger looks again so long after the time at which something is due. */
enum { GRACE_MS = 50 };
/* The purger ends when nothing was due for so long. */
enum { LINGER_MS = 1000 };
/* If the system refuses a thread, it is asked again after so long. */
enum { RETRY_MS = 1000 };

/* After so long at work the purger asks whether the program is still the user that it was
   (STALE). */
enum { ASK_MS = 1000 };

/* One word, so that a thread that announces memory needs one look to know that the purger will see
   it.

     NONE -> COMING           by a thread of the program, which then starts it
     COMING -> AWAKE          by that thread, or by the purger
     COMING -> NONE           by that thread, if it cannot start it
     AWAKE -> ASLEEP -> NONE  by the purger
     ASLEEP -> AWAKE          by a thread, or by the purger
     AWAKE -> STALE           by the purger
     STALE -> AWAKE           by a thread, or by the purger before it sleeps
     any of these -> NONE     by a thread that finds that the purger is lost
     any -> ENDED

     COMING  like AWAKE, but there may be no thread yet
     AWAKE   it will make a round, and see in it all that was announced before this was read
     STALE   like AWAKE; besides, a thread that announces memory must check whether the program has
             other users or groups by now
     ASLEEP  it has nothing to do, and waits for AWAKE
     ENDED   it must end, or has ended for ever

   Above these bits is the number of the purger: a purger that finds another number has been
   replaced, and ends.

   Sequentially consistent, like announcements: the announcer stores the time and then reads the
   word; the purger becomes ASLEEP and then reads the times. At least one of the two sees what the
   other stored. */
enum { NONE, COMING, AWAKE, STALE, ASLEEP, ENDED, STATES = 8 };
static _Atomic(uint32_t) state;

static uint32_t state_of(uint32_t word) { return word % STATES; }
static uint32_t with_state(uint32_t word, uint32_t to) { return word - state_of(word) + to; }

static int64_t (*round_fn)(void);
static _Atomic(size_t) waiting[MI_WAITING_KINDS];
/* The purger has begun to work since it was last started. */
static _Atomic(bool) began;
static _Atomic(int64_t) retry_at;
/* Of the thread that started the purger. Written before the purger begins, read by threads that see
   STALE or ASLEEP. */
static _Atomic(uint32_t) identity[MI_OS_IDS];

void mi_purger_set_round(int64_t (*round)(void)) { round_fn = round; }

static bool change(uint32_t from, uint32_t to) {
  return atomic_compare_exchange_strong(&state, &from, to);
}

/* ---- The purger ---- */

/* Sleeps until something is due, since nothing is now. False if the thread is to end. `awake`: its
   word. */
static bool sleep_until_woken(uint32_t awake) {
  uint32_t asleep = with_state(awake, ASLEEP);
  mi_os_helper_end_if_alone();
  change(with_state(awake, STALE), awake);
  if (!change(awake, asleep)) return false;
  mi_race_window();
  bool nothing = round_fn() == 0;
  if (nothing && !mi_os_wait(&state, asleep, LINGER_MS) &&
      change(asleep, with_state(awake, NONE))) {
    return false;
  }
  /* If the word is still ASLEEP, something was due after all, or we were woken by chance. */
  return change(asleep, awake) || atomic_load(&state) == awake;
}

static bool is_at_work(uint32_t word, uint32_t awake) {
  return word == awake || word == with_state(awake, STALE);
}

/* Waits until `due`. False if the thread is to end. */
static bool wait_until(int64_t due, uint32_t awake) {
  uint32_t word = atomic_load(&state);
  if (!is_at_work(word, awake)) return false;
  mi_os_helper_end_if_alone();
  mi_os_wait(&state, word, due - mi_os_now() + GRACE_MS);
  return is_at_work(atomic_load(&state), awake);
}

/* A purger that has been replaced wakes its successor: its last round may have had entries of
   segment/huge_cache.c in its hands, or cleared the time at which something is due, just when the
   successor looked. */
static void wake_successor(void) {
  uint32_t word = atomic_load(&state);
  if (state_of(word) == ASLEEP && change(word, with_state(word, AWAKE))) mi_os_wake(&state);
}

static void work(uint32_t awake) {
  int64_t ask_at = mi_os_now() + ASK_MS;
  do {
    for (int kind = 0; kind < MI_WAITING_KINDS; kind++) mi_purger_forget_count(kind);
    int64_t due;
    while ((due = round_fn()) != 0) {
      if (mi_os_now() >= ask_at && change(awake, with_state(awake, STALE))) {
        ask_at = mi_os_now() + ASK_MS;
      }
      if (!wait_until(due, awake)) return;
    }
  } while (sleep_until_woken(awake));
}

static void run(void) {
  uint32_t word = atomic_load(&state);
  uint32_t awake = with_state(word, AWAKE);
  atomic_store(&began, true);
  if (word != awake && !change(with_state(word, COMING), awake) && atomic_load(&state) != awake) {
    return; /* mi_purger_end came first */
  }
  work(awake);
  wake_successor();
}

/* ---- For threads that need the purger ---- */

static bool is_wanted(void) {
  return MI_HAS_PURGER && round_fn != NULL && mi_option_is_enabled(mi_option_background_purge) &&
         mi_os_now() >= atomic_load_explicit(&retry_at, memory_order_relaxed);
}

bool mi_purger_may_come(void) { return is_wanted() && state_of(atomic_load(&state)) != ENDED; }

/* Starts the next purger. If there is one already, that one then ends. */
static void start(uint32_t word) {
  uint32_t coming = with_state(word, COMING) + STATES;
  if (!is_wanted() || mi_os_is_guest() || !change(word, coming)) return;
  mi_os_identity_t who = mi_os_identity();
  for (int i = 0; i < MI_OS_IDS; i++) {
    atomic_store_explicit(&identity[i], who.ids[i], memory_order_relaxed);
  }
  atomic_store(&began, false);
  if (mi_os_helper_start(run)) {
    change(coming, with_state(coming, AWAKE));
  } else {
    atomic_store_explicit(&retry_at, mi_os_now() + RETRY_MS, memory_order_relaxed);
    change(coming, with_state(coming, NONE));
  }
  mi_os_wake(&state);
}

/* Whether the program still has the ids of the purger. The purger must not go on as a user that the
   program has ceased to be: whoever made the purger run other code would be that user again. */
static bool is_still_right(void) {
  mi_os_identity_t now = mi_os_identity();
  for (int i = 0; i < MI_OS_IDS; i++) {
    if (atomic_load_explicit(&identity[i], memory_order_relaxed) != now.ids[i]) return false;
  }
  return true;
}

/* The thread may be gone without a word: it did not come along into a child that fork handlers know
   nothing of, or the system killed it. */
static bool is_lost(uint32_t word) {
  uint32_t in = state_of(word);
  return in != NONE && in != COMING && in != ENDED && !mi_os_helper_lives();
}

static uint32_t forget_lost(uint32_t word) {
  bool had_begun = atomic_load(&began);
  bool forgotten = change(word, with_state(word, NONE));
  /* Killed as it began, as by a filter of system calls: the next one would be, too. */
  if (forgotten && !had_begun) {
    atomic_store_explicit(&retry_at, mi_os_now() + RETRY_MS, memory_order_relaxed);
  }
  return atomic_load(&state);
}

static void call(uint32_t word) {
  if (state_of(word) == ENDED || state_of(word) == COMING) return;
  if (state_of(word) == NONE || !is_still_right()) {
    start(word);
  } else if (change(word, with_state(word, AWAKE)) && state_of(word) == ASLEEP) {
    mi_os_wake(&state);
  }
}

static bool is_enough(void) {
  size_t all = 0;
  for (int kind = 0; kind < MI_WAITING_KINDS; kind++) {
    all += atomic_load_explicit(&waiting[kind], memory_order_relaxed);
  }
  return all >= ENOUGH || mi_rare(mi_rare_purger);
}

void mi_purger_count(mi_waiting_t kind, size_t units) {
  uint32_t word = atomic_load(&state);
  if (mi_os_is_helper()) return;
  if (mi_unlikely(is_lost(word))) word = forget_lost(word);
  if (mi_likely(state_of(word) == AWAKE)) return;
  atomic_fetch_add_explicit(&waiting[kind], units, memory_order_relaxed);
  if (is_enough() || state_of(word) == STALE) call(word);
}

void mi_purger_forget_count(mi_waiting_t kind) {
  atomic_store_explicit(&waiting[kind], 0, memory_order_relaxed);
}

mi_cold void mi_purger_end(void) {
  atomic_store(&state, ENDED);
  mi_os_wake(&state);
  mi_os_helper_join();
}

void mi_purger_hold(void) {
  /* What other fork handlers freed before ours may have started one. */
  atomic_store(&state, ENDED);
  mi_os_wake(&state);
  mi_os_helper_forked();
}

mi_cold void mi_purger_forked(void) {
  atomic_store(&state, NONE);
  atomic_store_explicit(&retry_at, 0, memory_order_relaxed);
}
