/* The purger's life: it is refused by the system and asked for again, comes, sleeps when nothing is left, is woken, goes
   and comes again, and ends for ever. */
#include "segment/purger.h"

#include <time.h>

#include "check.h"
#include "os/os.h"
#include "os/rare.h"

static _Atomic(int64_t) due;

/* Whoever comes when it is due takes it. */
static int64_t take_what_is_due(void) {
  int64_t at = atomic_load(&due);
  if (at != 0 && at <= mi_os_now()) atomic_compare_exchange_strong(&due, &at, 0);
  return atomic_load(&due);
}

static void wait_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static void announce(void) {
  atomic_store(&due, mi_os_now() + 10);
  mi_purger_count(1);
}

static bool is_done(void) {
  for (int ms = 0; ms < 5000 && atomic_load(&due) != 0; ms += 5) wait_ms(5);
  return atomic_load(&due) == 0;
}

static bool stays(void) {
  wait_ms(150);
  return atomic_load(&due) != 0;
}

int main(void) {
  mi_purger_set_round(take_what_is_due);
  mi_rare_set(mi_rare_purger, 0);
  announce(); /* tests have none unless they ask */
  CHECK(stays());

  mi_rare_set(mi_rare_purger, 1);
  mi_option_disable(mi_option_background_purge);
  announce();
  CHECK(stays());
  mi_option_enable(mi_option_background_purge);

  mi_os_fail_from(1);
  announce();
  CHECK_CMP(mi_os_fail_from(0), >, 0);
  announce();
  CHECK(stays()); /* it is too early to ask again */
  wait_ms(1000);
  announce();
  CHECK(is_done());

  for (int i = 0; i < 10; i++) {
    wait_ms(i * 5); /* awake, or asleep */
    announce();
    CHECK(is_done());
  }
  wait_ms(1300); /* it is gone */
  announce();
  CHECK(is_done());

  announce();
  mi_purger_end();
  announce();
  CHECK(stays());
  return 0;
}
