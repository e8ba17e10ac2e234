/* Options from the environment, in children: each prints one option. */
#include "child.h"
#include "miheap.h"

static const char* self;

static int print_option(const char* name) {
  static const struct {
    const char* name;
    mi_option_t option;
  } options[] = {
#define OPTION(name, value, least, most, doc) {#name, mi_option_##name},
      MI_OPTIONS(OPTION)
#undef OPTION
  };
  for (int i = 0; i < _mi_option_last; i++) {
    if (strcmp(options[i].name, name) != 0) continue;
    printf("%ld", mi_option_get(options[i].option));
    return mi_option_get(options[i].option) == mi_option_get(options[i].option) ? 0 : 1;
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
  EXPECT("purge_delay", "50", "", NULL);
  EXPECT("purge_delay", "123", "", "MIHEAP_PURGE_DELAY=123");
  EXPECT("purge_delay", "-1", "", "MIHEAP_PURGE_DELAY=-1");
  EXPECT("purge_delay", "2048", "", "MIHEAP_PURGE_DELAY=2K");
  EXPECT("purge_delay", "2048", "", "MIHEAP_PURGE_DELAY=2k");
  EXPECT("max_errors", "1", "", "MIHEAP_MAX_ERRORS=yes");
  EXPECT("show_errors", "0", "", "MIHEAP_SHOW_ERRORS=off");
  EXPECT("show_errors", "0", "", "MIHEAP_SHOW_ERRORS=False");
}

static void synonyms(void) {
  EXPECT("purge_delay", "7", "", "MIMALLOC_PURGE_DELAY=7");
  EXPECT("purge_delay", "8", "", "MIMALLOC_PURGE_DELAY=7", "MIHEAP_PURGE_DELAY=8");
}

static void malformed(void) {
#define IGNORED(text, range) "miheap: warning: " text " is not a number from " range ": ignored\n"
  EXPECT("purge_delay", "50", IGNORED("MIHEAP_PURGE_DELAY=\"soon\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=soon");
  EXPECT("purge_delay", "50", IGNORED("MIHEAP_PURGE_DELAY=\"\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=");
  EXPECT("purge_delay", "50", IGNORED("MIHEAP_PURGE_DELAY=\"5x\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=5x");
  EXPECT("purge_delay", "50", IGNORED("MIHEAP_PURGE_DELAY=\"5KK\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=5KK");
  EXPECT("purge_delay", "50", IGNORED("MIHEAP_PURGE_DELAY=\"-2\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=-2");
  EXPECT("purge_delay", "50",
         IGNORED("MIHEAP_PURGE_DELAY=\"99999999999999999999\"", "-1 to 3600000"),
         "MIHEAP_PURGE_DELAY=99999999999999999999");
  EXPECT("purge_delay", "50", IGNORED("MIMALLOC_PURGE_DELAY=\"9G\"", "-1 to 3600000"),
         "MIMALLOC_PURGE_DELAY=9G");
  EXPECT("max_warnings", "32", IGNORED("MIHEAP_MAX_WARNINGS=\"x\"", "-1 to 1000000"),
         "MIHEAP_MAX_WARNINGS=x");
  EXPECT("show_errors", "1", IGNORED("MIHEAP_SHOW_ERRORS=\"2\"", "0 to 1"), "MIHEAP_SHOW_ERRORS=2");
  EXPECT("purge_delay", "50", "", "MIHEAP_SHOW_ERRORS=0", "MIHEAP_PURGE_DELAY=x");
  EXPECT("purge_delay", "50", "", "MIHEAP_MAX_WARNINGS=0", "MIHEAP_PURGE_DELAY=x");
}

static void by_call(void) {
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 10);
  mi_option_set_default(mi_option_max_segment_reclaim, 20);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 20);
  mi_option_set(mi_option_max_segment_reclaim, 30);
  mi_option_set_default(mi_option_max_segment_reclaim, 40);
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 30);
  mi_option_disable(mi_option_show_errors);
  mi_option_set(mi_option_max_segment_reclaim, 101); /* out of range */
  CHECK_EQ(mi_option_get(mi_option_max_segment_reclaim), 30);
  mi_option_enable(mi_option_show_errors);
  CHECK(mi_option_is_enabled(mi_option_show_errors));
  mi_option_set_enabled(mi_option_purge_decommits, false);
  CHECK(!mi_option_is_enabled(mi_option_purge_decommits));
  CHECK_EQ(mi_option_get(_mi_option_last), 0);
  CHECK_EQ(mi_option_get((mi_option_t)-1), 0);
  mi_option_set(_mi_option_last, 1);
}

int main(int argc, char** argv) {
  self = argv[0];
  if (argc > 1) return print_option(argv[1]);
  environment();
  synonyms();
  malformed();
  by_call();
  return 0;
}
