/* What is counted, and the table and the JSON made of it. */
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
  mi_free(mi_malloc(70000)); /* who receives a line may allocate */
}

static const char* row(const char* name) {
  char label[40];
  snprintf(label, sizeof(label), "%19s:", name);
  return strstr(table, label);
}

static mi_stats_t get(void) {
  mi_stats_t stats;
  mi_stats_get(sizeof(stats), &stats);
  CHECK_EQ(stats.size, sizeof(stats));
  CHECK_EQ(stats.version, MI_STAT_VERSION);
#define LEVEL(name, unit, doc)                        \
  CHECK_CMP(stats.name.current, >=, 0);               \
  CHECK_CMP(stats.name.peak, >=, stats.name.current); \
  CHECK_CMP(stats.name.total, >=, stats.name.peak);
#define EVENTS(name, unit, doc) CHECK_CMP(stats.name.total, >=, 0);
  MI_STATS(LEVEL, EVENTS, LEVEL, EVENTS)
#undef LEVEL
#undef EVENTS
  return stats;
}

static void levels(void) {
  mi_level_t level = {0};
  mi_level_change(&level, 10);
  mi_level_change(&level, -4);
  mi_level_change(&level, 2);
  CHECK_EQ(level.current, 8);
  CHECK_EQ(level.peak, 10);
  CHECK_EQ(level.total, 12);
}

static void* hold_pages(void* arg) {
  void* blocks[10];
  for (int i = 0; i < 10; i++) blocks[i] = mi_malloc((size_t)16 << i);
  for (int i = 0; i < 10; i++) mi_free(blocks[i]);
  return arg;
}

static void in_thread(void* (*fn)(void*)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
  pthread_join(thread, NULL);
}

/* Of a thread, known when it ends; of the caller, at once. */
static void pages(void) {
  mi_collect(true);
  mi_stats_t before = get();
  in_thread(hold_pages);
  mi_stats_t after = get();
  CHECK_EQ(after.pages.total - before.pages.total, 10);
  CHECK_EQ(after.pages.current, before.pages.current);
  CHECK_EQ(after.pages.peak, before.pages.current + 10);
  void* p = mi_malloc(100);
  CHECK_EQ(get().pages.current - after.pages.current, 1);
  mi_free(p);
  mi_collect(true);
  CHECK_EQ(get().pages.current, 0);
}

enum { ENDED = 300, LEFT_BY_EACH = 3 };
static void* left[ENDED][LEFT_BY_EACH];
static int ended;

static void* leave_pages(void* arg) {
  for (int i = 0; i < LEFT_BY_EACH; i++) left[ended][i] = mi_malloc(MI_MEDIUM_BLOCK_MAX << i);
  ended++;
  return arg;
}

/* Pages that one thread frees for many that ended are not counted among those that come later. */
static void pages_of_ended_threads(void) {
  enum { UNHEARD = 64 };
  mi_collect(true);
  mi_stats_reset();
  int64_t before = get().pages.current;
  while (ended < ENDED) {
    in_thread(leave_pages);
    for (int i = 0; i < LEFT_BY_EACH; i++) mi_free(left[ended - 1][i]);
  }
  mi_collect(true);
  CHECK_EQ(get().pages.current, before);
  CHECK_CMP(get().pages.peak, <, before + UNHEARD + 4 * LEFT_BY_EACH);

  /* Nor is what this thread took away before the figures were reset. */
  for (ended = 0; ended < ENDED;) in_thread(leave_pages);
  for (int i = 0; i < ENDED * LEFT_BY_EACH; i++) mi_free(left[i / LEFT_BY_EACH][i % LEFT_BY_EACH]);
  mi_collect(true);
  mi_stats_reset();
  mi_free(mi_malloc(MI_MEDIUM_BLOCK_MAX));
  CHECK_CMP(get().pages.peak, <, before + 4 * LEFT_BY_EACH);
}

static void huge(void) {
  mi_stats_t before = get();
  void* p = mi_malloc(10 << 20);
  mi_stats_t after = get();
  CHECK_CMP(after.malloc_huge.current - before.malloc_huge.current, >=, 10 << 20);
  CHECK_EQ(after.malloc_huge_count.total - before.malloc_huge_count.total, 1);
  CHECK_CMP(after.mmap_calls.total, >, before.mmap_calls.total);
  CHECK_EQ(after.pages.total, before.pages.total);
  mi_stats_reset();
  after = get();
  CHECK_CMP(after.malloc_huge.current, >=, 10 << 20); /* what is in use stays */
  CHECK_EQ(after.malloc_huge.peak, after.malloc_huge.current);
  CHECK_EQ(after.malloc_huge.total, after.malloc_huge.current);
  CHECK_EQ(after.malloc_huge_count.total, 0);
  CHECK_EQ(after.pages.total, after.pages.current);
  CHECK_EQ(after.slow_calls.total, 0);
  mi_free(p);
}

static void purges(void) {
  void* other = mi_malloc(100); /* a chunk without any block would be unmapped instead */
  char* p = mi_malloc(100000);
  memset(p, 1, 100000);
  mi_free(p);
  mi_stats_t before = get();
  mi_option_enable(mi_option_page_reset);
  mi_collect(true);
  mi_option_disable(mi_option_page_reset);
  mi_stats_t after = get();
  CHECK_CMP(after.purged.total - before.purged.total, >=, 100000);
  CHECK_CMP(after.purge_calls.total, >, before.purge_calls.total);
  CHECK_EQ(after.reset.total - before.reset.total, after.purged.total - before.purged.total);
  mi_free(other);
}

static void arenas_and_commits(void) {
  mi_stats_t before = get();
  CHECK_EQ(mi_reserve_os_memory((size_t)8 << 20, false, false), 0);
  mi_stats_t after = get();
  CHECK_EQ(after.arena_count.total - before.arena_count.total, 1);
  CHECK_EQ(after.commit_calls.total, before.commit_calls.total);
  void* p = mi_malloc(100000);
  void* q = mi_malloc(20 << 20);
  CHECK(p != NULL && q != NULL);
  CHECK_CMP(get().commit_calls.total, >=, after.commit_calls.total + 2);
  CHECK_CMP(get().committed.current, >=, after.committed.current + (20 << 20));
  mi_free(p);
  mi_free(q);
}

/* They are there, whatever was in the caller's memory. */
static void uncounted(void) {
  mi_stats_t stats;
  memset(&stats, 0xee, sizeof(stats));
  mi_stats_get(sizeof(stats), &stats);
  mi_stat_count_t levels_of_none[] = {stats.page_committed, stats.pages_abandoned,
                                      stats.malloc_normal, stats.malloc_requested,
                                      stats.segments_cache};
  for (size_t i = 0; i < 5; i++) {
    CHECK_EQ(levels_of_none[i].total, 0);
    CHECK_EQ(levels_of_none[i].peak, 0);
    CHECK_EQ(levels_of_none[i].current, 0);
  }
  mi_stat_counter_t events_of_none[] = {
      stats.malloc_normal_count,   stats.malloc_guarded_count, stats.arena_rollback_count,
      stats.arena_purges,          stats.page_searches_count,  stats.pages_reclaim_on_alloc,
      stats.pages_reclaim_on_free, stats.pages_reabandon_full, stats.pages_unabandon_busy_wait};
  for (size_t i = 0; i < 9; i++) CHECK_EQ(events_of_none[i].total, 0);
}

/* A caller that was compiled with a shorter structure, or a longer one. */
static void other_sizes(void) {
  struct {
    mi_stats_t stats;
    char more[64];
  } longer;
  memset(&longer, 0xee, sizeof(longer));
  mi_stats_get(sizeof(longer), &longer.stats);
  CHECK_EQ(longer.stats.size, sizeof(mi_stats_t));
  for (size_t i = 0; i < sizeof(longer.more); i++) CHECK_EQ(longer.more[i], 0);
  memset(&longer, 0xee, sizeof(longer));
  size_t shorter = offsetof(mi_stats_t, segments);
  mi_stats_get(shorter, &longer.stats);
  CHECK_EQ(longer.stats.size, shorter);
  CHECK_EQ(longer.stats.committed.total, get().committed.total);
  CHECK_EQ(longer.stats.segments.total, (int64_t)0xeeeeeeeeeeeeeeee);
  mi_stats_get(0, &longer.stats);
  CHECK_EQ(longer.stats.size, shorter);
  mi_stats_get(sizeof(mi_stats_t), NULL);
}

static void printing(void) {
  table[0] = 0;
  mi_stats_print_out(append, table);
#define LEVEL(name, unit, doc) CHECK(row(#name) != NULL);
  MI_STATS(LEVEL, LEVEL, LEVEL, LEVEL)
#undef LEVEL
  CHECK(strstr(row("reserved"), "MiB") != NULL);
  static const char* const words[] = {"elapsed",  "user",     "system",     "faults",
                                      "reclaims", "peak rss", "peak commit"};
  for (size_t i = 0; i < 7; i++) CHECK(strstr(row("process"), words[i]) != NULL);
}

static void* print_nothing(void* arg) {
  mi_thread_stats_print_out(append, table);
  return arg;
}

static int64_t number_in_last_column(const char* name) {
  const char* line = row(name);
  CHECK(line != NULL);
  return strtoll(line + 19 + 2 + 3 * 13, NULL, 10);
}

static void printing_of_a_thread(void) {
  mi_collect(true);
  void* blocks[7];
  for (int i = 0; i < 7; i++) blocks[i] = mi_malloc(3000);
  table[0] = 0;
  mi_thread_stats_print_out(append, table);
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) CHECK(row(#name) != NULL);
  MI_STATS(NONE, NONE, LEVEL, LEVEL)
#undef NONE
#undef LEVEL
  CHECK(row("committed") == NULL);
  CHECK_EQ(number_in_last_column("blocks_count"), 7);
  CHECK_EQ(number_in_last_column("pages"), 1);
  for (int i = 0; i < 7; i++) mi_free(blocks[i]);
  table[0] = 0;
  in_thread(print_nothing);
  CHECK_EQ(number_in_last_column("blocks_count"), 0);
  CHECK_EQ(number_in_last_column("pages"), 0);
}

/* That it is JSON, and holds every row, is for a test of the package to say. */
static void json(void) {
  char* whole = mi_stats_get_json(0, NULL);
  CHECK(whole != NULL);
  size_t length = strlen(whole);
  CHECK_STR(whole + length - 2, "}\n");
  mi_free(whole);
  static char text[16384];
  CHECK_PTR(mi_stats_get_json(sizeof(text), text), ==, text);
  length = strlen(text);
  memset(text, 'x', sizeof(text));
  for (size_t size = 0; size < length - 100; size += 97) {
    CHECK_PTR(mi_stats_get_json(size, text), ==, NULL);
    CHECK_EQ(text[size], 'x');
  }
}

/* A child has one thread, whatever its parent had. */
static void* fork_here(void* arg) {
  void* p = mi_malloc(100);
  CHECK_EQ(get().threads.current, 2);
  pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(get().threads.current, 1);
    char* text = mi_stats_get_json(0, NULL);
    CHECK(text != NULL);
    mi_free(text);
    mi_free(p);
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  mi_free(p);
  return arg;
}

static int of_a_child(const char* what) {
  mi_free(mi_malloc(1 << 20));
  if (strcmp(what, "json") == 0) {
    char* text = mi_stats_get_json(0, NULL);
    fputs(text, stdout);
    mi_free(text);
    return 0;
  }
  return 3;
}

int main(int argc, char** argv) {
  if (argc > 1) return of_a_child(argv[1]);
  levels();
  pages();
  huge();
  purges();
  arenas_and_commits();
  uncounted();
  other_sizes();
  printing();
  printing_of_a_thread();
  json();
  pages_of_ended_threads();
  in_thread(fork_here);

  /* At exit, when asked for. */
  child_t child;
  child_run(&child, argv[0], "exit", NULL);
  CHECK_EQ(child.status, 3);
  CHECK_STR(child.err, "");
  child_run(&child, argv[0], "exit", (const char* const[]){"MIHEAP_SHOW_STATS=1", NULL});
  CHECK_EQ(child.status, 3);
  CHECK(strstr(child.err, "committed:") != NULL);
  CHECK(strstr(child.err, "peak rss") != NULL);
  return 0;
}
