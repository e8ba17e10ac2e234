/* The table that MIHEAP_SHOW_STATS=1 prints. */
#include <inttypes.h>
#include <stdio.h>

#include "options/report.h"
#include "os/os.h"
#include "stats/stats.h"

typedef enum unit_e { BYTES, COUNT } unit_t;

enum { CELL = 24 };

static void format_value(char* cell, int64_t value, unit_t unit) {
  static const char* const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (unit == COUNT) {
    snprintf(cell, CELL, "%" PRId64, value);
    return;
  }
  /* Tenths, in integers: printf of a double may allocate. */
  uint64_t size = value < 0 ? (uint64_t)-value : (uint64_t)value;
  uint64_t tenths = size * 10;
  unsigned i = 0;
  for (; i < 4 && tenths >= 10240; i++) tenths /= 1024;
  snprintf(cell, CELL, "%s%" PRIu64 ".%" PRIu64 " %s", value < 0 ? "-" : "", tenths / 10,
           tenths % 10, names[i]);
}

static void
print_gauge(mi_output_fun* out, void* arg, const char* name, mi_gauge_t* gauge, unit_t unit) {
  char peak[CELL], total[CELL], freed[CELL], current[CELL];
  int64_t now = atomic_load_explicit(&gauge->current, memory_order_relaxed);
  int64_t all = atomic_load_explicit(&gauge->total, memory_order_relaxed);
  format_value(peak, atomic_load_explicit(&gauge->peak, memory_order_relaxed), unit);
  format_value(total, all, unit);
  format_value(freed, all - now, unit);
  format_value(current, now, unit);
  mi_print_to(out, arg, "%12s: %12s %12s %12s %12s\n", name, peak, total, freed, current);
}

static void print_process(mi_output_fun* out, void* arg) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  size_t elapsed = mi_stats_elapsed_ms();
  char rss[CELL], commit[CELL];
  format_value(rss, (int64_t)info.peak_rss, BYTES);
  format_value(commit, atomic_load_explicit(&mi_gauges.committed.peak, memory_order_relaxed),
               BYTES);
  mi_print_to(out, arg,
              "%12s: elapsed %zu.%03zu s, user %zu.%03zu s, system %zu.%03zu s, faults %zu,\n"
              "%14speak rss %s, peak commit %s\n",
              "process", elapsed / 1000, elapsed % 1000, info.user_ms / 1000, info.user_ms % 1000,
              info.system_ms / 1000, info.system_ms % 1000, info.page_faults, "", rss, commit);
}

void mi_stats_print_table(mi_output_fun* out, void* arg) {
  mi_counters_t counters = mi_counters_total();
  mi_print_to(out, arg, "%12s  %12s %12s %12s %12s\n", "miheap", "peak", "total", "freed",
              "current");
#define MI_COUNTER(name, doc) \
  mi_print_to(out, arg, "%12s: %12s %12" PRIu64 "\n", #name, "", counters.name);
#define MI_GAUGE(name, unit, doc) print_gauge(out, arg, #name, &mi_gauges.name, unit);
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
  print_process(out, arg);
}
