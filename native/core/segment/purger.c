#include "segment/purger.h"

#include "os/rare.h"

/* Only where malloc is ours. In a library that is a part of something else, such as Node's addon, the
   event loop sees to it (lib/idle.ts), and tests ask for the thread. */
#if defined(MI_OVERRIDE)
#define MI_HAS_PURGER true
#else
#define MI_HAS_PURGER mi_rare(mi_rare_purger)
#endif

/* Units that must wait before a thread is worth it: 2 MiB. Less than that may stay resident. */
enum { ENOUGH = 32 };
/* The purger looks again so long after the time that something is due. */
enum { GRACE_MS = 50 };
/* It ends when there was nothing for so long. */
enum { LINGER_MS = 1000 };
/* Is it refused by the system, that is asked again after so long. */
enum { RETRY_MS = 1000 };

/* One word, so that who announces memory needs one look to know that the purger will see it.

     NONE ----> AWAKE <----> ASLEEP ----> NONE      any ----> ENDED
        a thread      purger, thread  purger

   AWAKE   it will make a round, and in it see all that was announced before this was read
   ASLEEP  it has nothing to do, and waits for AWAKE
   ENDED   it must end, or has ended for ever

   Sequentially consistent, as announcements are: the announcer stores the time and then reads the
   word; the purger becomes ASLEEP and then reads the times. One of them sees the other. */
enum { NONE, AWAKE, ASLEEP, ENDED };
static _Atomic(uint32_t) state;

static int64_t (*round_fn)(void);
static _Atomic(size_t) waiting;
static _Atomic(int64_t) retry_at;

void mi_purger_set_round(int64_t (*round)(void)) { round_fn = round; }

static bool change(uint32_t from, uint32_t to) {
  return atomic_compare_exchange_strong(&state, &from, to);
}

/* Nothing is due: sleeps until something is. False if the thread is to end. */
static bool sleep_until_woken(void) {
  if (!change(AWAKE, ASLEEP)) return false;
  mi_race_window();
  bool nothing = round_fn() == 0;
  if (nothing && !mi_os_wait(&state, ASLEEP, LINGER_MS) && change(ASLEEP, NONE)) return false;
  /* If it is not AWAKE by now, we were woken by chance. */
  return change(ASLEEP, AWAKE) || atomic_load(&state) == AWAKE;
}

static void run(void) {
  do {
    atomic_store_explicit(&waiting, 0, memory_order_relaxed);
    int64_t due;
    while ((due = round_fn()) != 0) {
      mi_os_wait(&state, AWAKE, due - mi_os_now() + GRACE_MS);
      if (atomic_load(&state) != AWAKE) return;
    }
  } while (sleep_until_woken());
}

static bool is_wanted(void) {
  return MI_HAS_PURGER && round_fn != NULL && mi_option_is_enabled(mi_option_background_purge) &&
         mi_os_now() >= atomic_load_explicit(&retry_at, memory_order_relaxed);
}

static void call(void) {
  if (change(ASLEEP, AWAKE)) {
    mi_os_wake(&state);
  } else if (atomic_load(&state) == NONE && is_wanted() && change(NONE, AWAKE) &&
             !mi_os_helper_start(run)) {
    atomic_store_explicit(&retry_at, mi_os_now() + RETRY_MS, memory_order_relaxed);
    change(AWAKE, NONE);
  }
}

void mi_purger_count(size_t units) {
  if (mi_likely(atomic_load(&state) == AWAKE)) return;
  size_t before = atomic_fetch_add_explicit(&waiting, units, memory_order_relaxed);
  if (before + units >= ENOUGH || mi_rare(mi_rare_purger)) call();
}

void mi_purger_forget_count(void) { atomic_store_explicit(&waiting, 0, memory_order_relaxed); }

void mi_purger_end(void) {
  atomic_store(&state, ENDED);
  mi_os_wake(&state);
  mi_os_helper_join();
}

void mi_purger_hold(void) { atomic_store(&state, AWAKE); }

void mi_purger_forked(void) {
  mi_os_helper_forked();
  atomic_store(&state, NONE);
  atomic_store_explicit(&retry_at, 0, memory_order_relaxed);
}
