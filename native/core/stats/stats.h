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

/* The process's figures. Shared by all threads, so the LEVEL and EVENTS among them are only for
   what costs a system call, or comes once in a segment. */
typedef struct mi_process_stats_s {
#define LEVEL(name, unit, doc) mi_level_t name;
#define EVENTS(name, unit, doc) _Atomic(int64_t) name;
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
} mi_process_stats_t;

extern mi_process_stats_t mi_process_stats;

void mi_level_change(mi_level_t* level, int64_t amount);

/* Changes a LEVEL, or counts EVENTS. Any thread. */
#define mi_stat_up(name, amount) mi_level_change(&mi_process_stats.name, (int64_t)(amount))
#define mi_stat_down(name, amount) mi_level_change(&mi_process_stats.name, -(int64_t)(amount))
#define mi_stat_count(name, amount) \
  ((void)atomic_fetch_add_explicit(&mi_process_stats.name, (int64_t)(amount), memory_order_relaxed))

/* The level that it has now. */
#define mi_stat_current(name) \
  atomic_load_explicit(&mi_process_stats.name.current, memory_order_relaxed)
/* In a forked child, where it was counted anew. */
#define mi_stat_set(name, amount) \
  atomic_store_explicit(&mi_process_stats.name.current, amount, memory_order_relaxed)

/* Changes a THREAD_LEVEL of the calling thread by 1. */
#define mi_thread_stat_up(tld, name) mi_thread_level_up(&(tld)->stats.name, &(tld)->merged.name)
#define mi_thread_stat_down(tld, name) ((void)(tld)->stats.name.current--)
void mi_thread_level_up(mi_stat_count_t* level, mi_stat_count_t* merged);

/* Brings what the thread has counted into the process's figures. */
void mi_thread_stats_merge(mi_tld_t* tld);
/* The thread forgets all but what there is now. */
mi_cold void mi_thread_stats_clear(mi_tld_t* tld);

mi_cold void mi_process_stats_clear(void);
mi_cold void mi_process_stats_snapshot(mi_stats_t* stats);

/* Milliseconds since mi_stats_start, which the process calls once when it begins. */
void mi_stats_start(void);
size_t mi_stats_elapsed_ms(void);

/* ---- print.c, json.c ---- */

/* The tables of mi_stats_print_out and mi_thread_stats_print_out. `blocks` and `bytes` are those
   that the thread's heaps hold; `stats` NULL: it has none. */
void mi_stats_print_table(mi_output_fun* out, void* arg);
void mi_stats_print_thread(const mi_thread_stats_t* stats, size_t blocks, size_t bytes,
                           mi_output_fun* out, void* arg);

/* What mi_stats_get_json writes. Returns the length, without the 0 at the end; if that is not below
   `size`, the text is cut. */
size_t mi_stats_write_json(char* buf, size_t size);

#endif
