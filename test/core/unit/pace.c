/* How long free memory waits: longer while what is purged is needed again. */
#include "segment/pace.h"

#include "memory.h"
#include "os/os.h"
#include "resident.h"
#include "segment/slot.h"

#define MUCH ((size_t)1 << 30)
#define STEP_MS 50

static mi_slot_ref_t slot;
static int64_t now, spent_ns;
static int64_t processor_time(void) { return spent_ns; }

/* What is purged in a step is needed again in it. Returns how long memory waits then. */
static long step_of(int64_t ns, size_t bytes, size_t waiting) {
  mi_pace_purged(bytes, now);
  mi_pace_taken_again(bytes, now);
  spent_ns += ns;
  mi_pace_decide(now += STEP_MS, processor_time, waiting);
  return mi_pace_delay();
}
static long step(size_t bytes, size_t waiting) { return step_of(25000000, bytes, waiting); }

static void waits_longer(void) {
  CHECK_EQ(mi_pace_delay(), 100);
  CHECK_EQ(step(0, 0), 100);
  CHECK_EQ(step(MUCH, 0), 200);
  CHECK_EQ(step(MUCH, 0), 400);
  CHECK_EQ(step(MUCH, 0), 400);
}

static void waits_shorter_again(void) {
  long before = mi_pace_delay();
  for (int i = 0; before > 100; i++) {
    long after = step(0, MUCH);
    CHECK_CMP(after, <, before);
    CHECK_CMP(i, <, 24);
    before = after;
  }
  CHECK_EQ(step(0, 0), 100);
}

/* More memory would wait than that saves time; but if it takes much too much time, it waits. */
static void not_for_much_memory(void) {
  enum { STEP_NS = 1000000000 };
  const size_t much_memory = SIZE_MAX / 200;
  size_t hundredth = STEP_NS / 100 / mi_pace_fault_ns() * mi_os_page_size();
  CHECK_EQ(step_of(STEP_NS, 7 * hundredth, much_memory), 100);
  CHECK_EQ(step_of(STEP_NS, 14 * hundredth, much_memory), 200);
  CHECK_EQ(step_of(STEP_NS, 7 * hundredth, 0), 400);
  waits_shorter_again();
}

static void only_what_was_purged_just_now(void) {
  mi_pace_purged(MUCH, now);
  mi_pace_taken_again(MUCH, now += 2000);
  CHECK_EQ(step(0, 0), 100);
  mi_pace_taken_again(MUCH, now); /* never purged */
  CHECK_EQ(step(0, 0), 100);
}

/* In a process that does little. */
static void at_once_when_quiet(void) {
  while (mi_pace_delay() < 400) step(MUCH, 0);
  CHECK_EQ(step_of(1000000, MUCH, 0), 100);
}

/* However few decisions are made meanwhile. */
static void shorter_by_time(void) {
  while (mi_pace_delay() < 400) step(MUCH, 0);
  now += 5000;
  CHECK_EQ(step(0, 0), 100);
}

/* In a forked child the time begins anew; and it may be unknown. */
static void without_a_clock(void) {
  spent_ns = 0;
  CHECK_EQ(step(MUCH, 0), 100);
  for (int i = 0; i < 3; i++) {
    spent_ns = -1000000;
    CHECK_EQ(step(MUCH, 0), 100);
  }
}

static void options(void) {
  CHECK_EQ(step(MUCH, 0), 200);
  mi_option_set(mi_option_purge_delay, 0);
  CHECK_EQ(mi_pace_delay(), 0);
  mi_option_set(mi_option_purge_delay, -1);
  CHECK_CMP(mi_pace_delay(), <, 0);
  mi_option_set(mi_option_purge_delay, 3600000);
  CHECK_EQ(mi_pace_delay(), 7200000);
  mi_option_set(mi_option_purge_delay, 100);
}

/* While memory waits longer, none goes before its time; else a little does. */
static void allowance(void) {
  CHECK_CMP(mi_pace_delay(), >, 100);
  CHECK_EQ(mi_pace_allow(1000, now), 0);
  while (mi_pace_delay() > 100) step(0, 0);
  now += 1000;
  unsigned may = mi_pace_allow(1000, now);
  CHECK_CMP(may, >, 0);
  CHECK_CMP(may, <=, 100);
  CHECK_EQ(mi_pace_allow(1000, now), 0);
  CHECK_EQ(mi_pace_allow(0, now + 1000), 0);
}

static size_t page_faults(void) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  return info.page_reclaims;
}

/* Each time anew: so the memory that it is measured with is purged again. */
static void measuring(void) {
  enum { TIMES = 20, LEAST = 16 };
  if (mi_os_page_size() != MI_OS_LEAST_PAGE) return; /* larger ones are fewer */
  size_t before = page_faults();
  for (int i = 0; i < TIMES; i++) {
    uint32_t ns = mi_pace_measure();
    CHECK_CMP(ns, >, 0);
    CHECK_CMP(ns, <=, 20000);
  }
  CHECK_CMP(page_faults() - before, >=, (size_t)TIMES * LEAST);
}

int main(void) {
  bool zero;
  mi_os_forbid_large_pages();
  CHECK(mi_slot_take(NULL, &slot, 1, &zero)); /* so that some memory is in use */
  mi_option_set(mi_option_purge_delay, 100);
  now = mi_os_now();
  step(0, 0);
  if (mi_pace_fault_ns() == 0)
    return 0; /* not known for large system pages: nothing waits longer */
  waits_longer();
  waits_shorter_again();
  not_for_much_memory();
  only_what_was_purged_just_now();
  shorter_by_time();
  at_once_when_quiet();
  without_a_clock();
  options();
  allowance();
  measuring();
  return 0;
}
