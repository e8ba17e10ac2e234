/* The statistics as JSON, for programs. Names need no escapes, since they are C names. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "options/options.h"
#include "options/report.h"
#include "os/os.h"
#include "stats/stats.h"

typedef struct text_s {
  char* start;
  size_t size;
  size_t length; /* of the whole text, with what did not fit */
} text_t;

static void put(text_t* text, const char* format, ...) MI_PRINTF(2, 3);
static void put(text_t* text, const char* format, ...) {
  va_list args;
  va_start(args, format);
  size_t room = text->length < text->size ? text->size - text->length : 0;
  int length = vsnprintf(room > 0 ? text->start + text->length : NULL, room, format, args);
  va_end(args);
  if (length > 0) text->length += (size_t)length;
}

static void put_process(text_t* text, const mi_stats_t* stats) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  put(text, "  \"process\": {\"elapsed_msecs\": %zu, \"user_msecs\": %zu, \"system_msecs\": %zu,\n",
      mi_stats_elapsed_ms(), info.user_ms, info.system_ms);
  put(text, "    \"page_faults\": %zu, \"page_reclaims\": %zu,\n", info.page_faults,
      info.page_reclaims);
  put(text, "    \"rss_current\": %zu, \"rss_peak\": %zu,\n", info.rss, info.peak_rss);
  put(text, "    \"commit_current\": %" PRId64 ", \"commit_peak\": %" PRId64 "},\n",
      stats->committed.current, stats->committed.peak);
}

static void put_level(text_t* text, const char* name, mi_stat_count_t count) {
  put(text,
      "  \"%s\": {\"total\": %" PRId64 ", \"peak\": %" PRId64 ", \"current\": %" PRId64 "},\n",
      name, count.total, count.peak, count.current);
}

size_t mi_stats_write_json(char* buf, size_t size) {
  text_t text = {buf, size, 0};
  mi_stats_t stats;
  mi_process_stats_snapshot(&stats);
  put(&text, "{\n  \"version\": %d,\n  \"miheap_version\": \"" MIHEAP_VERSION "\",\n",
      MI_STAT_VERSION);
  put_process(&text, &stats);
#define LEVEL(name, unit, doc) put_level(&text, #name, stats.name);
#define EVENTS(name, unit, doc) put(&text, "  \"%s\": %" PRId64 ",\n", #name, stats.name.total);
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
  put(&text, "  \"options\": {\n");
  for (int i = 0; i < _mi_option_last; i++) {
    put(&text, "    \"%s\": %ld%s\n", mi_option_descs[i].name, mi_option_get((mi_option_t)i),
        i + 1 < _mi_option_last ? "," : "");
  }
  put(&text, "  }\n}\n");
  return text.length;
}
