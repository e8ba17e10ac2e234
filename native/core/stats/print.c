/* The statistics as tables, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "options/report.h"
#include "os/os.h"
#include "stats/stats.h"

enum { CELL = 24 };

static void format_value(char* cell, int64_t value, mi_stat_unit_t unit) {
  static const char* const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (unit == COUNT) {
    snprintf(cell, CELL, "%" PRId64, value);
    return;
  }
  /* Tenths, in integers: printf of a double may allocate. */
  uint64_t tenths = (uint64_t)value * 10;
  unsigned i = 0;
  for (; i < 4 && tenths >= 10240; i++) tenths /= 1024;
  snprintf(cell, CELL, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, names[i]);
}

typedef struct sink_s {
  mi_output_fun* out;
  void* arg;
} sink_t;

#define ROW "%19s: %12s %12s %12s %12s\n"

static void print_head(sink_t sink, const char* title) {
  mi_print_to(sink.out, sink.arg, "%19s  %12s %12s %12s %12s\n", title, "peak", "total", "freed",
              "current");
}

static void print_level(sink_t sink, const char* name, mi_stat_count_t count, mi_stat_unit_t unit) {
  char peak[CELL], total[CELL], freed[CELL], current[CELL];
  format_value(peak, count.peak, unit);
  format_value(total, count.total, unit);
  format_value(freed, count.total - count.current, unit);
  format_value(current, count.current, unit);
  mi_print_to(sink.out, sink.arg, ROW, name, peak, total, freed, current);
}

static void print_total(sink_t sink, const char* name, int64_t value, mi_stat_unit_t unit) {
  char total[CELL];
  format_value(total, value, unit);
  mi_print_to(sink.out, sink.arg, "%19s: %12s %12s\n", name, "", total);
}

static void print_process(sink_t sink, const mi_stats_t* stats) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  size_t elapsed = mi_stats_elapsed_ms();
  char rss[CELL], commit[CELL];
  format_value(rss, (int64_t)info.peak_rss, BYTES);
  format_value(commit, stats->committed.peak, BYTES);
  mi_print_to(sink.out, sink.arg,
              "%19s: elapsed %zu.%03zu s, user %zu.%03zu s, system %zu.%03zu s, faults %zu,\n",
              "process", elapsed / 1000, elapsed % 1000, info.user_ms / 1000, info.user_ms % 1000,
              info.system_ms / 1000, info.system_ms % 1000, info.page_faults);
  mi_print_to(sink.out, sink.arg, "%21sreclaims %zu, peak rss %s, peak commit %s\n", "",
              info.page_reclaims, rss, commit);
}

void mi_stats_print_table(mi_output_fun* out, void* arg) {
  sink_t sink = {out, arg};
  mi_stats_t stats;
  mi_process_stats_snapshot(&stats);
  print_head(sink, "miheap");
#define LEVEL(name, unit, doc) print_level(sink, #name, stats.name, unit);
#define EVENTS(name, unit, doc) print_total(sink, #name, stats.name.total, unit);
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
  print_process(sink, &stats);
}

/* The level is below 0 if this thread freed pages that another thread took. */
static mi_stat_count_t at_least_0(mi_stat_count_t count) {
  if (count.current < 0) count.current = 0;
  return count;
}

void mi_stats_print_thread(const mi_thread_stats_t* stats, size_t blocks, size_t bytes,
                           mi_output_fun* out, void* arg) {
  sink_t sink = {out, arg};
  static const mi_thread_stats_t nothing;
  if (stats == NULL) stats = &nothing;
  print_head(sink, "miheap, this thread");
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) print_level(sink, #name, at_least_0(stats->name), unit);
#define EVENTS(name, unit, doc) print_total(sink, #name, stats->name, unit);
  MI_STATS(NONE, NONE, LEVEL, EVENTS)
#undef NONE
#undef LEVEL
#undef EVENTS
  char cell[CELL];
  format_value(cell, (int64_t)bytes, BYTES);
  mi_print_to(out, arg, ROW, "blocks", "", "", "", cell);
  format_value(cell, (int64_t)blocks, COUNT);
  mi_print_to(out, arg, ROW, "blocks_count", "", "", "", cell);
}
