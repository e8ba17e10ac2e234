#include "stats/stats.h"

#include <string.h>

#include "os/os.h"

mi_process_stats_t mi_process_stats;

static _Atomic(int64_t) start_time;

void mi_stats_start(void) {
  atomic_store_explicit(&start_time, mi_os_now_at_start(), memory_order_relaxed);
}

size_t mi_stats_elapsed_ms(void) {
  return (size_t)(mi_os_now() - atomic_load_explicit(&start_time, memory_order_relaxed));
}

/* ---- Counting: relaxed throughout, since these numbers order nothing ---- */

static void raise_peak(mi_level_t* level, int64_t to) {
  int64_t peak = atomic_load_explicit(&level->peak, memory_order_relaxed);
  while (to > peak && !atomic_compare_exchange_weak_explicit(
                          &level->peak, &peak, to, memory_order_relaxed, memory_order_relaxed)) {
  }
}

void mi_level_change(mi_level_t* level, int64_t amount) {
  int64_t now = atomic_fetch_add_explicit(&level->current, amount, memory_order_relaxed) + amount;
  if (amount <= 0) return;
  atomic_fetch_add_explicit(&level->total, amount, memory_order_relaxed);
  raise_peak(level, now);
}

void mi_thread_level_up(mi_stat_count_t* level, mi_stat_count_t* merged) {
  level->total++;
  level->current++;
  if (level->current > level->peak) level->peak = level->current;
  if (level->current > merged->peak) merged->peak = level->current;
}

static void merge_level(mi_level_t* whole, const mi_stat_count_t* now, mi_stat_count_t* merged) {
  int64_t change = now->current - merged->current;
  int64_t others =
      atomic_fetch_add_explicit(&whole->current, change, memory_order_relaxed) - merged->current;
  atomic_fetch_add_explicit(&whole->total, now->total - merged->total, memory_order_relaxed);
  raise_peak(whole, others + merged->peak);
  *merged = *now;
  merged->peak = now->current;
}

/* What this thread takes away may be what ended threads have left, all of which stands in the
   process's figure. So that figure hears of it soon. */
void mi_thread_level_down(mi_level_t* whole, mi_stat_count_t* level, mi_stat_count_t* merged) {
  enum { SOME = 64 };
  level->current--;
  if (merged->current - level->current >= SOME) merge_level(whole, level, merged);
}

void mi_thread_stats_merge(mi_tld_t* tld) {
  mi_thread_stats_t* now = &tld->stats;
  mi_thread_stats_t* merged = &tld->merged;
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) merge_level(&mi_process_stats.name, &now->name, &merged->name);
#define EVENTS(name, unit, doc)                  \
  mi_stat_count(name, now->name - merged->name); \
  merged->name = now->name;
  MI_STATS(NONE, NONE, LEVEL, EVENTS)
#undef NONE
#undef LEVEL
#undef EVENTS
}

/* ---- Resetting ---- */

/* Forgets the past. What there is now stays counted. */
static void restart(mi_stat_count_t* level, mi_stat_count_t* merged) {
  int64_t rest = level->current > 0 ? level->current : 0;
  level->peak = rest;
  level->total = rest;
  *merged = *level;
  merged->peak = level->current; /* which may be below 0 */
}

void mi_thread_stats_clear(mi_tld_t* tld) {
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) restart(&tld->stats.name, &tld->merged.name);
#define EVENTS(name, unit, doc) tld->stats.name = tld->merged.name = 0;
  MI_STATS(NONE, NONE, LEVEL, EVENTS)
#undef NONE
#undef LEVEL
#undef EVENTS
}

static void restart_shared(mi_level_t* level) {
  int64_t now = atomic_load_explicit(&level->current, memory_order_relaxed);
  atomic_store_explicit(&level->peak, now, memory_order_relaxed);
  atomic_store_explicit(&level->total, now, memory_order_relaxed);
}

void mi_process_stats_clear(void) {
#define LEVEL(name, unit, doc) restart_shared(&mi_process_stats.name);
#define EVENTS(name, unit, doc) \
  atomic_store_explicit(&mi_process_stats.name, 0, memory_order_relaxed);
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
}

/* ---- Reading ---- */

/* Makes 0 <= current <= peak <= total true even if the three are loaded at different moments, or a
   thread that has not merged yet makes the level negative. */
static mi_stat_count_t load_level(mi_level_t* level) {
  mi_stat_count_t count;
  count.current = atomic_load_explicit(&level->current, memory_order_relaxed);
  count.peak = atomic_load_explicit(&level->peak, memory_order_relaxed);
  count.total = atomic_load_explicit(&level->total, memory_order_relaxed);
  if (count.current < 0) count.current = 0;
  if (count.peak < count.current) count.peak = count.current;
  if (count.total < count.peak) count.total = count.peak;
  return count;
}

void mi_process_stats_snapshot(mi_stats_t* stats) {
  memset(stats, 0, sizeof(*stats));
  stats->size = sizeof(*stats);
  stats->version = MI_STAT_VERSION;
#define LEVEL(name, unit, doc) stats->name = load_level(&mi_process_stats.name);
#define EVENTS(name, unit, doc) \
  stats->name.total = atomic_load_explicit(&mi_process_stats.name, memory_order_relaxed);
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
}
