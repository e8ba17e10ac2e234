/* The purger's life: it is refused by the system and asked for again, comes, sleeps when nothing is left, is woken, goes
   and comes again, and ends for ever. */
#include "segment/purger.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "os/os.h"
#include "os/rare.h"

static _Atomic(int64_t) due;

static void wait_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static _Atomic(int64_t) busy_until; /* there is more all the time */
enum { SHORT, BEGIN_LONG, LONG };
static _Atomic(int) round_is;

/* Has all that is due, and gives it back. */
static int64_t long_round(void) {
  atomic_store(&due, 0);
  atomic_store(&round_is, LONG);
  while (atomic_load(&round_is) == LONG) wait_ms(5);
  atomic_store(&due, mi_os_now() + 10);
  return atomic_load(&due);
}

/* Whoever comes when it is due takes it. */
static int64_t take_what_is_due(void) {
  if (mi_os_now() < atomic_load(&busy_until)) return mi_os_now() + 10;
  if (atomic_load(&round_is) == BEGIN_LONG) return long_round();
  int64_t at = atomic_load(&due);
  if (at != 0 && at <= mi_os_now()) atomic_compare_exchange_strong(&due, &at, 0);
  mi_purger_count(MI_WAITING_UNITS, 1); /* as a round does; it wakes and asks nobody */
  return atomic_load(&due);
}

static void announce(void) {
  atomic_store(&due, mi_os_now() + 10);
  mi_purger_count(MI_WAITING_UNITS, 1);
}

static bool is_done(void) {
  for (int ms = 0; ms < 5000 && atomic_load(&due) != 0; ms += 5) wait_ms(5);
  return atomic_load(&due) == 0;
}

static bool stays(void) {
  wait_ms(150);
  return atomic_load(&due) != 0;
}

/* The effective user of the purger. */
static unsigned user_of_purger(void) {
  DIR* tasks = opendir("/proc/self/task");
  CHECK(tasks != NULL);
  unsigned user = 0, found = 0;
  for (struct dirent* task; (task = readdir(tasks)) != NULL;) {
    char path[300], line[200];
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
    FILE* status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (status == NULL) continue;
    bool ours = fgets(line, sizeof(line), status) != NULL && strstr(line, "miheap-purge") != NULL;
    while (ours && fgets(line, sizeof(line), status) != NULL) {
      if (sscanf(line, "Uid: %*u %u", &user) == 1) found++;
    }
    fclose(status);
  }
  closedir(tasks);
  CHECK_EQ(found, 1);
  return user;
}

static void keep_busy(int ms) {
  for (; ms > 0; ms -= 20) {
    announce();
    wait_ms(20);
  }
}

enum { NOBODY = 65534 };

/* Of this thread alone: under a sanitizer the C library would wait for the purger, which takes no signals. */
static void become(long user) { CHECK_EQ(syscall(SYS_setresuid, -1L, user, -1L), 0); }

/* A program that ceases to be root takes the purger with it, though it is busy all the time. Only root can. */
static void changes_user(void) {
  if (geteuid() != 0) return;
  keep_busy(100);
  CHECK_EQ(user_of_purger(), 0);
  become(NOBODY);
  keep_busy(1500);
  become(0); /* or it could not look */
  CHECK_EQ(user_of_purger(), NOBODY);
  CHECK(is_done());
  wait_ms(200); /* asleep */
  keep_busy(200);
  CHECK_EQ(user_of_purger(), 0);
  CHECK(is_done());
}

/* It is replaced in the middle of a round. Its successor finds nothing, and falls asleep. */
static void is_replaced_at_work(void) {
  if (geteuid() != 0) return;
  atomic_store(&round_is, BEGIN_LONG);
  atomic_store(&busy_until, mi_os_now() + 1300);
  announce();
  while (atomic_load(&round_is) != LONG) wait_ms(5);
  become(NOBODY);
  mi_purger_count(MI_WAITING_UNITS, 1);
  wait_ms(200);
  CHECK_EQ(atomic_load(&due), 0);
  atomic_store(&round_is, SHORT);
  wait_ms(50);
  become(0);
  CHECK(is_done());
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

  changes_user();
  wait_ms(1300);
  is_replaced_at_work();

  announce();
  mi_purger_end();
  announce();
  CHECK(stays());
  return 0;
}
