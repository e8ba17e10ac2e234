/* Options from the environment, in children: each prints one option. */
#include "child.h"
#include "miheap.h"

static const char* self;

static int print_option(const char* name) {
  static const struct {
    const char* name;
    mi_option_t option;
  } options[] = {
#define OPTION(name, kind, value, least, most, doc) {#name, mi_option_##name},
      MI_OPTIONS(OPTION)
#undef OPTION
  };
  for (int i = 0; i < _mi_option_last; i++) {
    if (strcmp(options[i].name, name) != 0) continue;
    printf("%ld", mi_option_get(options[i].option));
    return 0;
  }
  return 2;
}

static void
expect(const char* const* environment, const char* name, const char* out, const char* err) {
  child_t child;
  child_run(&child, self, name, environment);
  CHECK_STR(child.err, err);
  CHECK_STR(child.out, out);
  CHECK_EQ(child.status, 0);
}
#define EXPECT(name, out, err, ...) expect((const char* const[]){__VA_ARGS__, NULL}, name, out, err)

static void environment(void) {
  EXPECT("purge_delay", "100", "", NULL);
  EXPECT("purge_delay", "123", "", "MIHEAP_PURGE_DELAY=123");
  EXPECT("purge_delay", "-1", "", "MIHEAP_PURGE_DELAY=-1");
  EXPECT("purge_delay", "2048", "", "MIHEAP_PURGE_DELAY=2K");
  EXPECT("purge_delay", "2048", "", "MIHEAP_PURGE_DELAY=2k");
  EXPECT("arena_eager_commit", "1", "", "MIHEAP_ARENA_EAGER_COMMIT=yes");
  EXPECT("allow_large_os_pages", "2", "", "MIHEAP_ALLOW_LARGE_OS_PAGES=2");
  EXPECT("show_errors", "0", "", "MIHEAP_SHOW_ERRORS=off");
  EXPECT("show_errors", "0", "", "MIHEAP_SHOW_ERRORS=False");
  /* A switch without a value is on. */
  EXPECT("visit_abandoned", "0", "", NULL);
  EXPECT("visit_abandoned", "1", "", "MIHEAP_VISIT_ABANDONED=");
  EXPECT("visit_abandoned", "1", "", "MIMALLOC_VISIT_ABANDONED=");
}

static void synonyms(void) {
  EXPECT("purge_delay", "7", "", "MIMALLOC_PURGE_DELAY=7");
  EXPECT("purge_delay", "8", "", "MIMALLOC_PURGE_DELAY=7", "MIHEAP_PURGE_DELAY=8");
}

/* Older names: the newer one wins, and ours wins over mimalloc's. */
static void older_names(void) {
  EXPECT("purge_delay", "9", "", "MIHEAP_RESET_DELAY=9");
  EXPECT("purge_delay", "9", "", "MIMALLOC_RESET_DELAY=9");
  EXPECT("purge_delay", "8", "", "MIHEAP_RESET_DELAY=9", "MIHEAP_PURGE_DELAY=8");
  EXPECT("purge_delay", "9", "", "MIMALLOC_PURGE_DELAY=8", "MIHEAP_RESET_DELAY=9");
  EXPECT("purge_delay", "8", "", "MIMALLOC_RESET_DELAY=9", "MIMALLOC_PURGE_DELAY=8");
  EXPECT("allow_large_os_pages", "1", "", "MIHEAP_LARGE_OS_PAGES=1");
  EXPECT("page_reset", "1", "", "MIMALLOC_PAGE_RESET=1");
  CHECK_EQ(mi_option_large_os_pages, mi_option_allow_large_os_pages);
}

/* Sizes are KiB; a number without a unit is bytes. */
static void sizes(void) {
  EXPECT("arena_reserve", "1048576", "", "MIHEAP_ARENA_RESERVE=1GiB");
  EXPECT("arena_reserve", "1048576", "", "MIHEAP_ARENA_RESERVE=1g");
  EXPECT("arena_reserve", "2048", "", "MIMALLOC_ARENA_RESERVE=2MB");
  EXPECT("arena_reserve", "3", "", "MIHEAP_ARENA_RESERVE=3kib");
  EXPECT("arena_reserve", "1073741824", "", "MIHEAP_ARENA_RESERVE=1T");
  EXPECT("arena_reserve", "2", "", "MIHEAP_ARENA_RESERVE=1025");
  EXPECT("arena_reserve", "1", "", "MIHEAP_ARENA_RESERVE=1");
  EXPECT("arena_reserve", "0", "", "MIHEAP_ARENA_RESERVE=0");
}

static void unknown(void) {
  EXPECT("purge_delay", "100", "miheap: warning: MIHEAP_PURGE_DELLAY is not an option: ignored\n",
         "MIHEAP_PURGE_DELLAY=100");
  EXPECT("purge_delay", "100", "miheap: warning: MIHEAP_ is not an option: ignored\n", "MIHEAP_=1");
  EXPECT("purge_delay", "100", "", "MIMALLOC_PURGE_DELLAY=100");
  EXPECT("purge_delay", "100", "", "MIHEAP_NO_INHERIT=1", "MIHEAP_EXTERNAL_BUFFERS=0");
  EXPECT("purge_delay", "100", "", "MIHEAPS=1", "MIHEAP=2");
}

static void malformed(void) {
#define IGNORED(text, range) "miheap: warning: " text " is not a number from " range ": ignored\n"
#define OR_WORDS ", nor off, on, false, true, no or yes"
#define NO_SIZE(text) "miheap: warning: " text " is not a size from 0 to 1 TiB: ignored\n"
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"on\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=on");
  EXPECT("max_errors", "32", IGNORED("MIHEAP_MAX_ERRORS=\"no\"", "-1 to 1000000"),
         "MIHEAP_MAX_ERRORS=no");
  EXPECT("arena_eager_commit", "2", IGNORED("MIHEAP_ARENA_EAGER_COMMIT=\"3\"", "0 to 2" OR_WORDS),
         "MIHEAP_ARENA_EAGER_COMMIT=3");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"soon\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=soon");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"5x\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=5x");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"5KK\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=5KK");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"-2\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=-2");
  EXPECT("purge_delay", "100",
         IGNORED("MIHEAP_PURGE_DELAY=\"99999999999999999999\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=99999999999999999999");
  EXPECT("purge_delay", "100", IGNORED("MIMALLOC_PURGE_DELAY=\"9G\"", "-1 to 3600000"),
         "MIMALLOC_PURGE_DELAY=9G");
  EXPECT("max_warnings", "32", IGNORED("MIHEAP_MAX_WARNINGS=\"x\"", "-1 to 1000000"),
         "MIHEAP_MAX_WARNINGS=x");
  EXPECT("show_errors", "1", IGNORED("MIHEAP_SHOW_ERRORS=\"2\"", "0 to 1" OR_WORDS),
         "MIHEAP_SHOW_ERRORS=2");
  EXPECT("reserve_os_memory", "0", NO_SIZE("MIHEAP_RESERVE_OS_MEMORY=\"1KiBB\""),
         "MIHEAP_RESERVE_OS_MEMORY=1KiBB");
  EXPECT("reserve_os_memory", "0", NO_SIZE("MIHEAP_RESERVE_OS_MEMORY=\"-1\""),
         "MIHEAP_RESERVE_OS_MEMORY=-1");
  EXPECT("reserve_os_memory", "0", NO_SIZE("MIHEAP_RESERVE_OS_MEMORY=\"on\""),
         "MIHEAP_RESERVE_OS_MEMORY=on");
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_RESET_DELAY=\"x\"", "-1 to 3600000"),
         "MIHEAP_RESET_DELAY=x");
  /* As if it were not there. */
  EXPECT("purge_delay", "7", IGNORED("MIHEAP_PURGE_DELAY=\"x\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=x", "MIMALLOC_PURGE_DELAY=7");
  EXPECT("purge_delay", "100", "", "MIHEAP_SHOW_ERRORS=0", "MIHEAP_PURGE_DELAY=x");
  EXPECT("purge_delay", "100", "", "MIHEAP_MAX_WARNINGS=0", "MIHEAP_PURGE_DELAY=x");
}

#define LETTERS_50 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
#define LETTERS_60 LETTERS_50 "abcdefghij"

/* One whole line, whatever the variable is. */
static void long_or_broken(void) {
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"" LETTERS_60 "…\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=" LETTERS_60 LETTERS_60 LETTERS_60 LETTERS_60 LETTERS_60 LETTERS_60
             LETTERS_60 LETTERS_60 LETTERS_60 LETTERS_60);
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"" LETTERS_60 "\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=" LETTERS_60);
  EXPECT("purge_delay", "100", IGNORED("MIHEAP_PURGE_DELAY=\"5?6?\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=5\n6\x7F");
  EXPECT("purge_delay", "100",
         "miheap: warning: MIHEAP_" LETTERS_50 "abc… is not an option: ignored\n",
         "MIHEAP_" LETTERS_60 "=5");
  EXPECT("purge_delay", "100", "miheap: warning: MIHEAP_A?B is not an option: ignored\n",
         "MIHEAP_A\nB=5");
}

static void by_call(void) {
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 10);
  mi_option_set_default(mi_option_max_segment_reclaim, 20);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 20);
  mi_option_set(mi_option_max_segment_reclaim, 30);
  mi_option_set_default(mi_option_max_segment_reclaim, 40);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 30);
  mi_option_set(mi_option_max_segment_reclaim, 101);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 100);
  mi_option_set(mi_option_max_segment_reclaim, -7);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 0);
  mi_option_set_default(mi_option_generic_collect, 0);
  CHECK_EQ(mi_option_get(mi_option_generic_collect), 1);
  mi_option_set(mi_option_show_errors, -1);
  CHECK_EQ(mi_option_get(mi_option_show_errors), 1);
  mi_option_disable(mi_option_show_errors);
  CHECK(!mi_option_is_enabled(mi_option_show_errors));
  mi_option_enable(mi_option_show_errors);
  CHECK(mi_option_is_enabled(mi_option_show_errors));
  mi_option_set_enabled_default(mi_option_show_errors, false);
  CHECK(mi_option_is_enabled(mi_option_show_errors));
  mi_option_set_enabled_default(mi_option_visit_abandoned, true);
  CHECK(mi_option_is_enabled(mi_option_visit_abandoned));
  mi_option_set_enabled(mi_option_purge_decommits, false);
  CHECK(!mi_option_is_enabled(mi_option_purge_decommits));

  mi_option_set(mi_option_purge_delay, 100);
  CHECK_EQ(mi_option_get_clamp(mi_option_purge_delay, 0, 50), 50);
  CHECK_EQ(mi_option_get_clamp(mi_option_purge_delay, 150, 200), 150);
  CHECK_EQ(mi_option_get_clamp(mi_option_purge_delay, 0, 200), 100);
  CHECK_EQ(mi_option_get_size(mi_option_purge_delay), 100);
  mi_option_set(mi_option_purge_delay, -1);
  CHECK_EQ(mi_option_get_size(mi_option_purge_delay), 0);
  mi_option_set(mi_option_arena_reserve, 1L << 20);
  CHECK_EQ(mi_option_get_size(mi_option_arena_reserve), 1L << 30);

  CHECK_EQ(mi_option_get(_mi_option_last), 0);
  CHECK_EQ(mi_option_get((mi_option_t)-1), 0);
  CHECK_EQ(mi_option_get_size(_mi_option_last), 0);
  mi_option_set(_mi_option_last, 1);
  mi_option_set_default((mi_option_t)-1, 1);
}

/* Every default is one that mi_option_set would take. */
static void defaults(void) {
#define OPTION(name, kind, value, least, most, doc) \
  CHECK_CMP(value, >=, least);                      \
  CHECK_CMP(value, <=, most);                       \
  CHECK_EQ(mi_option_get(mi_option_##name), value); \
  mi_option_set_default(mi_option_##name, value);   \
  CHECK_EQ(mi_option_get(mi_option_##name), value);
  MI_OPTIONS(OPTION)
#undef OPTION
}

/* Bindings of mimalloc 2.2 have these numbers written down. */
static void numbers(void) {
  static const struct {
    mi_option_t option;
    int number;
  } in_mimalloc[] = {
      {mi_option_show_errors, 0},        {mi_option_verbose, 2},
      {mi_option_arena_eager_commit, 4}, {mi_option_reserve_os_memory, 9},
      {mi_option_purge_delay, 15},       {mi_option_use_numa_nodes, 16},
      {mi_option_disallow_os_alloc, 17}, {mi_option_max_errors, 19},
      {mi_option_destroy_on_exit, 22},   {mi_option_abandoned_reclaim_on_free, 26},
      {mi_option_retry_on_oom, 28},      {mi_option_visit_abandoned, 29},
      {mi_option_guarded_min, 30},       {mi_option_generic_collect, 36},
      {mi_option_allow_thp, 37},
  };
  for (size_t i = 0; i < sizeof(in_mimalloc) / sizeof(in_mimalloc[0]); i++) {
    CHECK_EQ((int)in_mimalloc[i].option, in_mimalloc[i].number);
  }
}

static char printed[16384];

static void append(const char* text, void* arg) {
  (void)arg;
  strncat(printed, text, sizeof(printed) - strlen(printed) - 1);
}

static void printing(void) {
  mi_register_output(append, NULL);
  mi_options_print();
  mi_register_output(NULL, NULL);
#define OPTION(name, kind, value, least, most, doc) \
  CHECK(strstr(printed, "miheap: option " #name " = ") != NULL);
  MI_OPTIONS(OPTION)
#undef OPTION
  CHECK(strstr(printed, "option arena_reserve = 1048576 KiB\n") != NULL);
}

int main(int argc, char** argv) {
  self = argv[0];
  if (argc > 1) return print_option(argv[1]);
  environment();
  synonyms();
  older_names();
  sizes();
  unknown();
  malformed();
  long_or_broken();
  defaults();
  numbers();
  by_call();
  printing();
  return 0;
}
