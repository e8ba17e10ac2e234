#include "stats/stats.h"

#include "os/os.h"

mi_gauges_t mi_gauges;

static _Atomic(int64_t) start_time;

void mi_stats_start(void) { atomic_store_explicit(&start_time, mi_os_now(), memory_order_relaxed); }

size_t mi_stats_elapsed_ms(void) {
  return (size_t)(mi_os_now() - atomic_load_explicit(&start_time, memory_order_relaxed));
}

/* The merged counters, as atomics of the same names. */
static struct {
#define MI_COUNTER(name, doc) _Atomic(uint64_t) name;
#define MI_GAUGE(name, unit, doc)
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
} merged;

/* Relaxed throughout: these numbers order nothing. */
void mi_gauge_change(mi_gauge_t* gauge, int64_t amount) {
  int64_t now = atomic_fetch_add_explicit(&gauge->current, amount, memory_order_relaxed) + amount;
  if (amount <= 0) return;
  atomic_fetch_add_explicit(&gauge->total, amount, memory_order_relaxed);
  int64_t peak = atomic_load_explicit(&gauge->peak, memory_order_relaxed);
  while (now > peak && !atomic_compare_exchange_weak_explicit(
                           &gauge->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
  }
}

void mi_counters_merge(mi_counters_t* counters) {
#define MI_COUNTER(name, doc)                                                    \
  atomic_fetch_add_explicit(&merged.name, counters->name, memory_order_relaxed); \
  counters->name = 0;
#define MI_GAUGE(name, unit, doc)
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
}

mi_counters_t mi_counters_total(void) {
  mi_counters_t total;
#define MI_COUNTER(name, doc) total.name = atomic_load_explicit(&merged.name, memory_order_relaxed);
#define MI_GAUGE(name, unit, doc)
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
  return total;
}

/* A level stays: what is in use now does not change by forgetting the past. */
static void restart(mi_gauge_t* gauge) {
  int64_t now = atomic_load_explicit(&gauge->current, memory_order_relaxed);
  atomic_store_explicit(&gauge->peak, now, memory_order_relaxed);
  atomic_store_explicit(&gauge->total, now, memory_order_relaxed);
}

void mi_stats_clear(void) {
#define MI_COUNTER(name, doc) atomic_store_explicit(&merged.name, 0, memory_order_relaxed);
#define MI_GAUGE(name, unit, doc) restart(&mi_gauges.name);
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
}
