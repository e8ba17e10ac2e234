/* Statistics: the table is MI_STATS in miheap.h. */
#ifndef MI_STATS_H
#define MI_STATS_H

#include "types.h"

typedef enum mi_stat_unit_e { BYTES, COUNT } mi_stat_unit_t;

typedef struct mi_level_s {
  _Atomic(int64_t) total;
  _Atomic(int64_t) peak;
  _Atomic(int64_t) current;
} mi_level_t;

/* The process's figures. All threads share them, so LEVEL and EVENTS are only for what costs a
   system call, or happens once in a segment. */
typedef struct mi_process_stats_s {
#define LEVEL(name, unit, doc) mi_level_t name;
#define EVENTS(name, unit, doc) _Atomic(int64_t) name;
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
} mi_process_stats_t;

extern mi_process_stats_t mi_process_stats;

void mi_level_change(mi_level_t* level, int64_t amount);

/* Change a LEVEL, or count EVENTS. Any thread may do that. */
#define mi_stat_up(name, amount) mi_level_change(&mi_process_stats.name, (int64_t)(amount))
#define mi_stat_down(name, amount) mi_level_change(&mi_process_stats.name, -(int64_t)(amount))
#define mi_stat_count(name, amount) \
  ((void)atomic_fetch_add_explicit(&mi_process_stats.name, (int64_t)(amount), memory_order_relaxed))

/* What a level is now. */
#define mi_stat_current(name) \
  atomic_load_explicit(&mi_process_stats.name.current, memory_order_relaxed)
/* Sets a level in a forked child, which counted again. */
#define mi_stat_set(name, amount) \
  atomic_store_explicit(&mi_process_stats.name.current, amount, memory_order_relaxed)

/* Change a THREAD_LEVEL of the calling thread by 1. */
#define mi_thread_stat_up(tld, name) mi_thread_level_up(&(tld)->stats.name, &(tld)->merged.name)
#define mi_thread_stat_down(tld, name) \
  mi_thread_level_down(&mi_process_stats.name, &(tld)->stats.name, &(tld)->merged.name)
void mi_thread_level_up(mi_stat_count_t* level, mi_stat_count_t* merged);
void mi_thread_level_down(mi_level_t* whole, mi_stat_count_t* level, mi_stat_count_t* merged);

/* Adds what the calling thread has counted since the last time to the process's figures. */
void mi_thread_stats_merge(mi_tld_t* tld);
/* Forgets what the calling thread has counted, but for what there is now. */
mi_cold void mi_thread_stats_clear(mi_tld_t* tld);

/* Forgets the process's figures, but for what there is now. */
mi_cold void mi_process_stats_clear(void);
/* Fills in all of *stats. */
mi_cold void mi_process_stats_snapshot(mi_stats_t* stats);

/* Must be called once, when the process begins. */
void mi_stats_start(void);
/* Milliseconds since mi_stats_start. */
size_t mi_stats_elapsed_ms(void);

/* ---- print.c, json.c ---- */

/* Prints the table of mi_stats_print_out. */
void mi_stats_print_table(mi_output_fun* out, void* arg);
/* Prints the table of mi_thread_stats_print_out. `stats`: NULL if the thread has none; `blocks` and
   `bytes`: what its heaps hold. */
void mi_stats_print_thread(const mi_thread_stats_t* stats, size_t blocks, size_t bytes,
                           mi_output_fun* out, void* arg);

/* Writes what mi_stats_get_json does. Returns the length without the 0 at the end; if that is not
   below `size`, the text is cut. */
size_t mi_stats_write_json(char* buf, size_t size);

#endif
