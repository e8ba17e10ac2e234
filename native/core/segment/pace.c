#include "segment/pace.h"

#include "bits.h"
#include "os/os.h"
#include "stats/stats.h"

_Atomic(uint32_t) mi_pace_stretch = MI_PACE_SHORTEST;

/* For what one thread at a time does now and then. Returns the milliseconds since the last time; 0
   if those are less than least_ms, or another thread is just doing it. */
static int64_t is_time_again(_Atomic(int64_t)* last, int64_t now, int64_t least_ms) {
  int64_t then = atomic_load_explicit(last, memory_order_relaxed);
  bool mine = now - then >= least_ms &&
              atomic_compare_exchange_strong_explicit(last, &then, now, memory_order_relaxed,
                                                      memory_order_relaxed);
  return mine ? now - then : 0;
}

/* ---- What a page fault costs ---- */

/* What a page fault costs, in nanoseconds. The first value is the cost outside of virtual
   machines. */
static _Atomic(uint32_t) fault_ns = 500;
enum { MEASURE_AGAIN_MS = 1000 };

/* The microseconds that it costs to bring so many bytes back. */
static uint64_t cost_us(uint64_t bytes) {
  return bytes / mi_os_page_size() * atomic_load_explicit(&fault_ns, memory_order_relaxed) / 1000;
}

/* Two units long, so that it holds as many whole system pages as a unit has. */
static uint8_t probe[2 * MI_UNIT_SIZE];

uint32_t mi_pace_measure(void) {
  /* The least of several groups counts, since the thread may be interrupted in one. */
  enum { GROUPS = 4, MOST_PER_GROUP = 4, MOST_NS = 20000 };
  size_t page = mi_os_page_size();
  size_t per_group = MI_UNIT_SIZE / page / GROUPS;
  if (per_group > MOST_PER_GROUP) per_group = MOST_PER_GROUP;
  uint8_t* begin = (uint8_t*)mi_align_up((uintptr_t)probe, page);
  volatile uint8_t* at = begin;
  int64_t least = MOST_NS;
  mi_os_avoid_large_pages(begin, MI_UNIT_SIZE);
  for (int group = 0; group < GROUPS && per_group > 0; group++) {
    int64_t start = mi_os_now_ns();
    for (size_t i = 0; i < per_group; i++, at += page) *at = 0;
    int64_t ns = (mi_os_now_ns() - start) / (int64_t)per_group;
    if (ns < least) least = ns;
  }
  (void)mi_os_purge(begin, MI_UNIT_SIZE, true);
  return per_group > 0 ? (uint32_t)least : 0;
}

/* ---- What was purged in vain ---- */

_Atomic(int64_t) mi_pace_purged_bytes;
/* Bytes that were purged and taken again since the last decision. */
static _Atomic(uint64_t) regretted;
enum { MEMORY_MS = 1000, FORGET_AGAIN_MS = 20 };

/* Forgets what was purged, by and by: all of it after MEMORY_MS. */
static void forget(int64_t now) {
  static _Atomic(int64_t) forgot_at;
  int64_t ms = is_time_again(&forgot_at, now, FORGET_AGAIN_MS);
  if (ms == 0) return;
  int64_t left = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed);
  int64_t forgotten = ms < MEMORY_MS ? left / MEMORY_MS * ms : left;
  atomic_fetch_sub_explicit(&mi_pace_purged_bytes, forgotten, memory_order_relaxed);
}

void mi_pace_purged(size_t bytes, int64_t now) {
  forget(now);
  atomic_fetch_add_explicit(&mi_pace_purged_bytes, (int64_t)bytes, memory_order_relaxed);
}

void mi_pace_taken_again(size_t bytes, int64_t now) {
  forget(now);
  int64_t before = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed);
  if (before <= 0) return;
  if (bytes > (uint64_t)before) bytes = (size_t)before;
  atomic_fetch_sub_explicit(&mi_pace_purged_bytes, (int64_t)bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&regretted, bytes, memory_order_relaxed);
}

/* ---- What follows from it ---- */

/* Hundredths of the processor time of the process that go into bringing purged memory back. Above
   MUCH the delay grows if that saves more time than it costs memory, above TOO_MUCH it does
   anyhow, and below LITTLE it shrinks. */
enum { TOO_MUCH = 10, MUCH = 5, LITTLE = 1 };
enum { DECIDE_AGAIN_MS = 50 };

static uint64_t hundredths(uint64_t part, uint64_t whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

/* The processor time since the last decision. Negative in a forked child. */
static int64_t time_spent(int64_t cpu_ns) {
  static _Atomic(int64_t) cpu_ns_then;
  return cpu_ns - atomic_exchange_explicit(&cpu_ns_then, cpu_ns, memory_order_relaxed);
}

/* The cost of what was regretted since the last decision, in hundredths of the processor time since
   then. */
static uint64_t share_of_time(int64_t spent_ns) {
  uint64_t us = cost_us(atomic_exchange_explicit(&regretted, 0, memory_order_relaxed));
  return spent_ns > 0 ? hundredths(1000 * us, (uint64_t)spent_ns) : 0;
}

/* Whether the process used less than a tenth of a processor. */
static bool is_quiet(int64_t spent_ns, int64_t ms) { return spent_ns < ms * (1000 * 1000 / 10); }

static uint32_t longer(uint32_t stretch) {
  return 2 * stretch < MI_PACE_LONGEST ? 2 * stretch : MI_PACE_LONGEST;
}

static uint32_t shorter(uint32_t stretch, int64_t steps) {
  return steps < stretch - MI_PACE_SHORTEST ? stretch - (uint32_t)steps : MI_PACE_SHORTEST;
}

static void measure_now_and_then(int64_t now) {
  static _Atomic(int64_t) measured_at;
  if (is_time_again(&measured_at, now, MEASURE_AGAIN_MS) == 0) return;
  atomic_store_explicit(&fault_ns, mi_pace_measure(), memory_order_relaxed);
}

uint32_t mi_pace_fault_ns(void) {
  measure_now_and_then(mi_os_now());
  return atomic_load_explicit(&fault_ns, memory_order_relaxed);
}

void mi_pace_decide(int64_t now, int64_t (*cpu_ns)(void), size_t waiting) {
  static _Atomic(int64_t) decided_at;
  if (atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed) > 0) {
    measure_now_and_then(now);
  }
  int64_t ms = is_time_again(&decided_at, now, DECIDE_AGAIN_MS);
  if (ms == 0) return;
  forget(now);
  int64_t spent_ns = time_spent(cpu_ns());
  uint64_t time = share_of_time(spent_ns);
  uint64_t memory = hundredths(waiting, (uint64_t)mi_stat_current(committed));
  uint32_t stretch = atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed);
  if (is_quiet(spent_ns, ms)) {
    stretch = MI_PACE_SHORTEST;
  } else if (time > TOO_MUCH || (time > MUCH && time > memory)) {
    stretch = longer(stretch);
  } else if (time < LITTLE) {
    stretch = shorter(stretch, ms / DECIDE_AGAIN_MS);
  }
  atomic_store_explicit(&mi_pace_stretch, stretch, memory_order_relaxed);
}

/* ---- Before its time ---- */

/* The time, in mi_os_now(), at which the allowance will have earned all that was spent. At most
   MOST_SAVED_MS can be saved up. */
static _Atomic(int64_t) spent_until;
enum { MOST_SAVED_MS = 100 };

unsigned mi_pace_allow(unsigned units, int64_t now) {
  uint32_t stretch = atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed);
  if (units == 0 || stretch > MI_PACE_SHORTEST) return 0;
  /* Milliseconds in which a unit is earned: if all such units are needed again, bringing them back
     takes no more than MUCH of the time. */
  int64_t price = (int64_t)cost_us(MI_UNIT_SIZE) / (10 * MUCH) + 1;
  int64_t until = atomic_load_explicit(&spent_until, memory_order_relaxed);
  int64_t from = until < now - MOST_SAVED_MS ? now - MOST_SAVED_MS : until;
  if (from >= now) return 0;
  if (units > (uint64_t)((now - from) / price)) units = (unsigned)((now - from) / price);
  bool spent =
      atomic_compare_exchange_strong_explicit(&spent_until, &until, from + (int64_t)units * price,
                                              memory_order_relaxed, memory_order_relaxed);
  return spent ? units : 0;
}
