#include "segment/pace.h"

#include "options/options.h"
#include "os/os.h"
#include "os/track.h"
#include "stats/stats.h"

_Atomic(uint32_t) mi_pace_stretch = MI_PACE_SHORTEST;

/* ---- What a page fault costs ---- */

/* Nanoseconds. What it is taken for until the first unit is purged is what it costs without a virtual machine. */
static _Atomic(uint32_t) fault_ns = 500;
static _Atomic(int64_t) measured_at;
enum { MEASURE_AGAIN_MS = 1000 };

/* What it costs to bring so many bytes back. */
static uint64_t cost_us(uint64_t bytes) {
  return bytes / mi_os_page_size() * atomic_load_explicit(&fault_ns, memory_order_relaxed) / 1000;
}

void mi_pace_measure(uint8_t* unit, int64_t now) {
  int64_t before = atomic_load_explicit(&measured_at, memory_order_relaxed);
  if (MI_TRACK || (before != 0 && now - before < MEASURE_AGAIN_MS)) return;
  if (!atomic_compare_exchange_strong_explicit(&measured_at, &before, now, memory_order_relaxed,
                                               memory_order_relaxed)) {
    return;
  }
  size_t page = mi_os_page_size();
  int64_t start = mi_os_now_ns();
  for (size_t at = 0; at < MI_UNIT_SIZE; at += page) ((volatile uint8_t*)unit)[at] = 0;
  int64_t ns = (mi_os_now_ns() - start) / (int64_t)(MI_UNIT_SIZE / page);
  (void)mi_os_purge(unit, MI_UNIT_SIZE, true);
  /* What is more than before may be the time of another thread. */
  int64_t old = atomic_load_explicit(&fault_ns, memory_order_relaxed);
  if (before != 0 && ns > old) ns = old + (ns - old) / 4;
  enum { MOST_NS = 20000 };
  atomic_store_explicit(&fault_ns, (uint32_t)(ns < MOST_NS ? ns : MOST_NS), memory_order_relaxed);
}

/* ---- What was purged in vain ---- */

_Atomic(int64_t) mi_pace_purged_bytes;
/* Of these, what was taken since the last decision. */
static _Atomic(uint64_t) regretted;
enum { MEMORY_MS = 1000 };

void mi_pace_purged(size_t bytes) {
  atomic_fetch_add_explicit(&mi_pace_purged_bytes, (int64_t)bytes, memory_order_relaxed);
}

void mi_pace_taken_again(size_t bytes) {
  int64_t before = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed);
  if (before <= 0) return;
  if (bytes > (uint64_t)before) bytes = (size_t)before;
  atomic_fetch_sub_explicit(&mi_pace_purged_bytes, (int64_t)bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&regretted, bytes, memory_order_relaxed);
}

/* Hundredths of the time that the process spends, in which what was purged is brought back. */
enum { MUCH = 5, LITTLE = 1 };
enum { DECIDE_AGAIN_MS = 50 };

static uint64_t hundredths(uint64_t part, uint64_t whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

void mi_pace_decide(int64_t now, size_t waiting) {
  static _Atomic(int64_t) decided_at;
  static _Atomic(int64_t) cpu_ns_then;
  int64_t ms = now - atomic_load_explicit(&decided_at, memory_order_relaxed);
  if (ms < DECIDE_AGAIN_MS) return;
  atomic_store_explicit(&decided_at, now, memory_order_relaxed);
  int64_t cpu_ns = mi_os_cpu_ns();
  int64_t spent_ns = cpu_ns - atomic_exchange_explicit(&cpu_ns_then, cpu_ns, memory_order_relaxed);
  uint64_t us = cost_us(atomic_exchange_explicit(&regretted, 0, memory_order_relaxed));
  uint64_t time = hundredths(us, (uint64_t)spent_ns / 1000);
  uint64_t memory = hundredths(waiting, (uint64_t)mi_stat_current(committed));
  uint32_t wanted = atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed);
  if (time > MUCH && time > memory) {
    wanted = wanted * 2 < MI_PACE_LONGEST ? wanted * 2 : MI_PACE_LONGEST;
  } else if (time < LITTLE && wanted > MI_PACE_SHORTEST) {
    wanted--;
  }
  atomic_store_explicit(&mi_pace_stretch, wanted, memory_order_relaxed);
  int64_t left = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed);
  int64_t forgotten = ms < MEMORY_MS ? left * ms / MEMORY_MS : left;
  atomic_fetch_sub_explicit(&mi_pace_purged_bytes, forgotten, memory_order_relaxed);
}

/* ---- Before its time ---- */

/* When what was spent so far is earned, in mi_os_now(); so much can be saved. */
static _Atomic(int64_t) spent_until;
enum { MOST_SAVED_MS = 100 };

unsigned mi_pace_allow(unsigned units, int64_t now) {
  if (units == 0 || atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed) > MI_PACE_SHORTEST)
    return 0;
  /* So that it takes no more than MUCH of the time if all of them are needed again. */
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
