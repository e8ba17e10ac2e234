/* When free memory goes back to the system; whether it does is asked of the system. */
#include <pthread.h>
#include <time.h>

#include "heap/purge.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "resident.h"
#include "segment/purge.h"
#include "segment/slot.h"
#include "segment/units.h"

enum { FIRST = 8, COUNT = 16 };
#define MASK mi_bits64(FIRST, COUNT)
#define SIZE ((size_t)COUNT << MI_UNIT_SHIFT)

static mi_slot_ref_t slot;
static uint8_t* memory;

static void wait_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static void write_and_release(void) {
  bool zero;
  CHECK(mi_units_take(slot, MASK, &zero));
  memset(memory, 1, SIZE);
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  mi_units_release(slot, MASK, 0);
}

static void after_the_delay(void) {
  mi_option_set(mi_option_purge_delay, 300);
  mi_process_purge_due();
  write_and_release();
  mi_process_purge_due();
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  wait_ms(320);
  CHECK_EQ(resident_in(memory, SIZE), SIZE); /* nothing happens by itself */
  mi_process_purge_due();                    /* sees it for the first time */
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  wait_ms(320);
  mi_process_purge_due();
  CHECK_EQ(resident_in(memory, SIZE), 0);
}

/* What is taken and freed between two looks stays, however often it is looked at. */
static void in_use_now_and_then(void) {
  bool zero;
  mi_option_set(mi_option_purge_delay, 1);
  write_and_release();
  for (int i = 0; i < 5; i++) {
    wait_ms(20);
    mi_process_purge_due();
    CHECK_EQ(resident_in(memory, SIZE), SIZE);
    CHECK(mi_units_take(slot, MASK, &zero));
    CHECK(!zero);
    mi_units_release(slot, MASK, 0);
  }
  for (int i = 0; i < 2; i++) {
    wait_ms(20);
    mi_process_purge_due();
  }
  CHECK_EQ(resident_in(memory, SIZE), 0);
}

static void at_once(void) {
  mi_option_set(mi_option_purge_delay, 0);
  write_and_release();
  CHECK_EQ(resident_in(memory, SIZE), 0);
}

static void forced(void) {
  mi_option_set(mi_option_purge_delay, 3600000);
  write_and_release();
  mi_process_purge_due();
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  mi_purge_all();
  CHECK_EQ(resident_in(memory, SIZE), 0);
}

static void never_but_forced(void) {
  mi_option_set(mi_option_purge_delay, -1);
  write_and_release();
  wait_ms(20);
  mi_process_purge_due();
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  mi_purge_all();
  CHECK_EQ(resident_in(memory, SIZE), 0);
}

/* The system refuses: the memory is as it was, still free, and a later purge gets it. */
static void refused(void) {
  mi_option_set(mi_option_purge_delay, 3600000);
  int64_t committed = memory_gauges().committed;
  write_and_release();
  mi_os_fail_from(1);
  mi_purge_all();
  mi_os_fail_from(0);
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  CHECK_EQ(memory_gauges().committed - committed, (int64_t)SIZE);
  mi_purge_all();
  CHECK_EQ(resident_in(memory, SIZE), 0);
  CHECK_EQ(memory_gauges().committed, committed);
}

/* Memory that is taken again before it is due stays. */
static void taken_again(void) {
  bool zero;
  mi_option_set(mi_option_purge_delay, 1);
  write_and_release();
  CHECK(mi_units_take(slot, MASK, &zero));
  wait_ms(20);
  mi_process_purge_due();
  CHECK_EQ(resident_in(memory, SIZE), SIZE);
  CHECK_EQ(memory[SIZE - 1], 1);
  mi_units_release(slot, MASK, 0);
  mi_purge_all();
}

static void* work(void* arg) {
  char* blocks[64];
  for (int i = 0; i < 64; i++) memset(blocks[i] = mi_malloc(50000), 1, 50000);
  for (int i = 0; i < 64; i++) mi_free(blocks[i]);
  return arg;
}

static int64_t left_by_a_thread(bool purge) {
  mi_purge_all();
  int64_t committed = memory_gauges().committed;
  mi_option_set_enabled(mi_option_abandoned_page_purge, purge);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
  pthread_join(thread, NULL);
  return memory_gauges().committed - committed;
}

static void by_a_thread_that_ends(void) {
  mi_option_set(mi_option_purge_delay, 3600000);
  CHECK_CMP(left_by_a_thread(false), >=, 3000000);
  CHECK_EQ(left_by_a_thread(true), 0);
}

/* Either option purges by reset: the contents are undefined from then on. */
static void by_reset(mi_option_t option, bool enable) {
  bool was = mi_option_is_enabled(option);
  atomic_store(&mi_slot_state(slot)->clean_is_zero, true);
  write_and_release();
  mi_purge_all();
  CHECK(atomic_load(&mi_slot_state(slot)->clean_is_zero));
  mi_option_set_enabled(option, enable);
  write_and_release();
  mi_purge_all();
  CHECK(!atomic_load(&mi_slot_state(slot)->clean_is_zero));
  mi_option_set_enabled(option, was);
}

enum { SLOTS = 6, IN_SLOT = 32 };
#define UNITS mi_bits64(IN_SLOT, IN_SLOT)
static mi_slot_ref_t slots[SLOTS];

static unsigned purged_units(void) {
  unsigned units = 0;
  for (unsigned i = 0; i < SLOTS; i++) {
    units += mi_popcount64(atomic_load(&mi_slot_state(slots[i])->clean) & UNITS);
  }
  return units;
}

/* Where nobody else does the rest, one call purges all that is due. */
static void all_in_one_call(void) {
  bool zero;
  mi_option_set(mi_option_purge_delay, 1);
  for (unsigned i = 0; i < SLOTS; i++) CHECK(mi_slot_take(NULL, &slots[i], 1 | UNITS, &zero));
  for (unsigned i = 0; i < SLOTS; i++) mi_units_release(slots[i], UNITS, 0);
  for (int calls = 0; calls < 2; calls++) {
    CHECK_EQ(purged_units(), 0);
    wait_ms(20);
    CHECK(!mi_process_purge_some());
  }
  CHECK_EQ(purged_units(), SLOTS * IN_SLOT);
  for (unsigned i = 0; i < SLOTS; i++) mi_slot_release(slots[i]);
}

/* What a peak left is not purged all at once by a thread that calls malloc, but in parts. */
static void a_part_in_each_call(void) {
  enum { ALL = SLOTS * IN_SLOT, PART = 32 };
  mi_process_purge_has_timer();
  bool zero;
  mi_option_set(mi_option_purge_delay, 1);
  for (unsigned i = 0; i < SLOTS; i++) CHECK(mi_slot_take(NULL, &slots[i], 1 | UNITS, &zero));
  for (unsigned i = 0; i < SLOTS; i++) mi_units_release(slots[i], UNITS, 0);
  unsigned calls = 0;
  for (unsigned before = 0, now; before < ALL; before = now, calls++) {
    CHECK_CMP(calls, <, 2 * SLOTS);
    wait_ms(20);
    mi_process_purge_some();
    now = purged_units();
    CHECK_CMP(now - before, <=, PART);
    CHECK_EQ(now % IN_SLOT, 0);
    CHECK(now == ALL || mi_purge_next() != 0);
  }
  CHECK_CMP(calls, >=, ALL / PART);
  for (unsigned i = 0; i < SLOTS; i++) mi_slot_release(slots[i]);
}

/* The parts come to an end, and purge all slots, though another thread always leaves a mapping in
   the huge cache. */
static void parts_beside_huge_blocks(void) {
  bool zero;
  mi_option_set(mi_option_purge_delay, 3600000);
  for (unsigned i = 0; i < SLOTS; i++) CHECK(mi_slot_take(NULL, &slots[i], 1 | UNITS, &zero));
  for (unsigned i = 0; i < SLOTS; i++) mi_units_release(slots[i], UNITS, 0);
  size_t place = 0;
  size_t most = mi_chunk_count() * MI_SLOTS_PER_CHUNK + 1;
  for (size_t parts = 0;; parts++) {
    CHECK_CMP(parts, <, most);
    mi_free(mi_malloc((size_t)40 << 20));
    if (mi_process_purge_part(&place)) break;
  }
  CHECK_EQ(purged_units(), SLOTS * IN_SLOT);
  for (unsigned i = 0; i < SLOTS; i++) mi_slot_release(slots[i]);
}

int main(void) {
  bool zero;
  mi_os_forbid_large_pages();
  CHECK(mi_slot_take(NULL, &slot, 1, &zero));
  memory = mi_slot_start(slot) + ((size_t)FIRST << MI_UNIT_SHIFT);
  after_the_delay();
  in_use_now_and_then();
  at_once();
  forced();
  never_but_forced();
  refused();
  taken_again();
  by_a_thread_that_ends();
  by_reset(mi_option_page_reset, true);
  by_reset(mi_option_purge_decommits, false);
  all_in_one_call();
  a_part_in_each_call();
  parts_beside_huge_blocks();
  return 0;
}
