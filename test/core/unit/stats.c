/* Counters, gauges and the table. */
#include "stats/stats.h"

#include <pthread.h>

#include "check.h"
#include "child.h"
#include "memory.h"
#include "miheap.h"

static char table[16384];

static void append(const char* text, void* arg) {
  CHECK_PTR(arg, ==, table);
  strncat(table, text, sizeof(table) - strlen(table) - 1);
}

static const char* row(const char* name) {
  char label[40];
  snprintf(label, sizeof(label), "%12s:", name);
  return strstr(table, label);
}

static void* work(void* arg) {
  mi_free(mi_malloc(100000));
  return arg;
}

static void gauges(void) {
  mi_gauge_t gauge = {0};
  mi_gauge_change(&gauge, 10);
  mi_gauge_change(&gauge, -4);
  mi_gauge_change(&gauge, 2);
  CHECK_EQ(gauge.current, 8);
  CHECK_EQ(gauge.peak, 10);
  CHECK_EQ(gauge.total, 12);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    mi_free(mi_malloc(1 << 20));
    return 3;
  }
  gauges();
  void* huge = mi_malloc(10 << 20);
  void* small = mi_malloc(100);
  CHECK_CMP(memory_gauges().huge, >=, 10 << 20);
  CHECK_EQ(memory_gauges().segments, 1);
  pthread_t thread;
  uint64_t pages = mi_counters_total().pages;
  CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(mi_counters_total().pages - pages, 1); /* merged when the thread ended */
  mi_stats_merge();
  CHECK_EQ(mi_counters_total().pages - pages, 3);

  mi_stats_print_out(append, table);
#define MI_COUNTER(name, doc) CHECK(row(#name) != NULL);
#define MI_GAUGE(name, unit, doc) CHECK(row(#name) != NULL);
#include "stats/stats.def"
#undef MI_COUNTER
#undef MI_GAUGE
  CHECK(row("process") != NULL);
  CHECK(strstr(row("reserved"), "MiB") != NULL);

  mi_stats_reset();
  CHECK_EQ(mi_counters_total().pages, 0);
  CHECK_CMP(memory_gauges().huge, >=, 10 << 20); /* what is in use stays */
  CHECK_EQ(atomic_load(&mi_gauges.huge.peak), memory_gauges().huge);
  mi_free(huge);
  mi_free(small);

  /* At exit, when asked for. */
  child_t child;
  child_run(&child, argv[0], "child", NULL);
  CHECK_EQ(child.status, 3);
  CHECK_STR(child.err, "");
  child_run(&child, argv[0], "child", (const char* const[]){"MIHEAP_SHOW_STATS=1", NULL});
  CHECK_EQ(child.status, 3);
  CHECK(strstr(child.err, "committed:") != NULL);
  CHECK(strstr(child.err, "peak rss") != NULL);
  return 0;
}
