/* Statistics: the table is stats.def. Gauges belong to the process, counters to a thread. */
#ifndef MI_STATS_H
#define MI_STATS_H

#include "types.h"

typedef struct mi_gauge_s {
  _Atomic(int64_t) current;
  _Atomic(int64_t) peak;
  _Atomic(int64_t) total;
} mi_gauge_t;

typedef struct mi_gauges_s {
#define MI_COUNTER(name, doc)
#define MI_GAUGE(name, unit, doc) mi_gauge_t name;
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
} mi_gauges_t;

extern mi_gauges_t mi_gauges;

void mi_gauge_change(mi_gauge_t* gauge, int64_t amount);

/* Raises or lowers a gauge of stats.def. Any thread. */
#define mi_stat_up(name, amount) mi_gauge_change(&mi_gauges.name, (int64_t)(amount))
#define mi_stat_down(name, amount) mi_gauge_change(&mi_gauges.name, -(int64_t)(amount))

/* Adds the counters to the process's and clears them. */
void mi_counters_merge(mi_counters_t* counters);
/* The sum of what was merged. */
mi_counters_t mi_counters_total(void);
void mi_stats_clear(void);

/* Milliseconds since mi_stats_start, which the process calls once when it begins. */
void mi_stats_start(void);
size_t mi_stats_elapsed_ms(void);

/* The table of mi_stats_print_out. */
void mi_stats_print_table(mi_output_fun* out, void* arg);

#endif
