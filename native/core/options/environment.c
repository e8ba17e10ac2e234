/* Reads the options from the environment, and complains of what is wrong there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/options.h"
#include "options/report.h"
#include "os/os.h"

#define OURS_BEGIN "MI" /* MIHEAP_ and MIMALLOC_ */

static const struct {
  char name[28];
  mi_option_t option;
} aliases[] = {
#define ALIAS(older, name) {#older, mi_option_##name},
    MI_OPTION_ALIASES(ALIAS)
#undef ALIAS
};

/* Variables named MIHEAP_... that are no options: code elsewhere reads them. */
static const char others[][20] = {"NO_INHERIT", "REPORTED", "EXTERNAL_BUFFERS", "PREBUILD"};

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

/* Compares without regard to case. */
static bool equals(const char* text, size_t length, const char* word) {
  for (; length > 0 && *word != 0 && upper(*text) == upper(*word); text++, word++, length--) {
  }
  return length == 0 && *word == 0;
}

/* ---- Values ---- */

static bool parse_switch(const char* text, long* value) {
  static const char words[][2][6] = {{"0", "1"}, {"off", "on"}, {"false", "true"}, {"no", "yes"}};
  size_t length = strlen(text);
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    *value = equals(text, length, words[i][1]);
    if (*value == 1 || equals(text, length, words[i][0])) return true;
  }
  return false;
}

/* The base-2 logarithm of what a unit stands for: 0 for "", -1 for what is no unit. */
static int unit_shift(const char* text) {
  static const char letters[] = "KMGT";
  if (*text == 0) return 0;
  const char* letter = strchr(letters, upper(*text));
  if (letter == NULL) return -1;
  const char* rest = text + 1;
  size_t length = strlen(rest);
  if (length > 0 && !equals(rest, length, "B") && !equals(rest, length, "iB")) return -1;
  return 10 * (int)(letter - letters + 1);
}

static bool parse_number(const char* text, mi_option_kind_t kind, long* value) {
  int saved = errno;
  char* end;
  errno = 0;
  long number = strtol(text, &end, 10);
  bool ok = errno == 0 && end != text;
  errno = saved;
  if (!ok) return false;
  int shift = unit_shift(end);
  if (shift < 0) return false;
  if (kind == SIZE) {
    if (shift > 0) {
      shift -= 10;
    } else if (number > 0) {
      number = (number - 1) / 1024 + 1;
    }
  }
  return !__builtin_mul_overflow(number, 1LL << shift, value);
}

/* Whether words like "on" and "off" are values too: of options that are off, or on in one way or
   two. */
static bool takes_words(const mi_option_desc_t* desc) {
  return desc->kind != SIZE && desc->least == 0 && desc->most <= 2;
}

static bool parse(const char* text, mi_option_t option, long* value) {
  const mi_option_desc_t* desc = &mi_option_descs[option];
  if (desc->kind == SWITCH && *text == 0) text = "1";
  bool ok = takes_words(desc) && parse_switch(text, value);
  if (!ok && desc->kind != SWITCH) ok = parse_number(text, desc->kind, value);
  return ok && *value >= desc->least && *value <= desc->most;
}

/* ---- Variables ---- */

/* What a variable turns out to be. Those that choose a value come last, by precedence. */
typedef enum meaning_e {
  FOREIGN,
  UNKNOWN, /* our prefix, but no option */
  MALFORMED,
  OURS,          /* MIHEAP_ and a name */
  OURS_OLDER,    /* MIHEAP_ and an older name */
  SYNONYM,       /* MIMALLOC_ and a name */
  SYNONYM_OLDER, /* MIMALLOC_ and an older name */
} meaning_t;

static bool find(const char* name, size_t length, mi_option_t* option, bool* older) {
  for (int i = 0; i < _mi_option_last; i++) {
    if (!equals(name, length, mi_option_descs[i].name)) continue;
    *option = (mi_option_t)i;
    *older = false;
    return true;
  }
  for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
    if (!equals(name, length, aliases[i].name)) continue;
    *option = aliases[i].option;
    *older = true;
    return true;
  }
  return false;
}

static bool is_other(const char* name, size_t length) {
#if defined(MI_TEST_FAULTS)
  if (strncmp(name, "TEST_", 5) == 0) return true;
#endif
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    if (equals(name, length, others[i])) return true;
  }
  return false;
}

static bool skip(const char** text, const char* prefix) {
  size_t length = strlen(prefix);
  if (strncmp(*text, prefix, length) != 0) return false;
  *text += length;
  return true;
}

static meaning_t understand(const char* entry, mi_option_t* option, long* value) {
  const char* name = entry;
  bool ours = skip(&name, "MIHEAP_");
  if (!ours && !skip(&name, "MIMALLOC_")) return FOREIGN;
  size_t length = strcspn(name, "=");
  bool older;
  if (!find(name, length, option, &older)) {
    return ours && !is_other(name, length) ? UNKNOWN : FOREIGN;
  }
  if (name[length] != '=' || !parse(name + length + 1, *option, value)) return MALFORMED;
  if (ours) return older ? OURS_OLDER : OURS;
  return older ? SYNONYM_OLDER : SYNONYM;
}

static void apply(const char* entry, void* wanted) {
  mi_option_t option;
  long value;
  if (understand(entry, &option, &value) == *(meaning_t*)wanted) mi_option_choose(option, value);
}

/* ---- Complaints ---- */

/* A part of a variable as a report shows it: cut to fit, and in one line. */
typedef struct excerpt_s {
  char text[64];
} excerpt_t;

static mi_cold excerpt_t excerpt(const char* text, size_t length) {
  static const char more[] = "…";
  excerpt_t shown;
  size_t most = sizeof(shown.text) - sizeof(more);
  size_t kept = length <= most ? length : mi_text_cut(text, most);
  for (size_t i = 0; i < kept; i++) {
    unsigned char c = (unsigned char)text[i];
    shown.text[i] = c < ' ' || c == 127 ? '?' : text[i];
  }
  memcpy(shown.text + kept, kept < length ? more : "", kept < length ? sizeof(more) : 1);
  return shown;
}

static mi_cold void complain_of_name(const char* entry) {
  excerpt_t name = excerpt(entry, strcspn(entry, "="));
  mi_warning("%s is not an option: ignored\n", name.text);
}

/* A value of the option with its unit. */
static mi_cold excerpt_t amount(const mi_option_desc_t* desc, long value) {
  static const char units[][4] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  excerpt_t shown;
  if (desc->kind != SIZE || value == 0) {
    snprintf(shown.text, sizeof(shown.text), "%ld", value);
    return shown;
  }
  for (; value % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) value /= 1024;
  snprintf(shown.text, sizeof(shown.text), "%ld %s", value, units[unit]);
  return shown;
}

static mi_cold void complain_of_value(const char* entry, mi_option_t option) {
  size_t length = strcspn(entry, "=");
  const char* text = entry[length] == 0 ? "" : entry + length + 1;
  const mi_option_desc_t* desc = &mi_option_descs[option];
  excerpt_t name = excerpt(entry, length);
  excerpt_t value = excerpt(text, strlen(text));
  mi_warning("%s=\"%s\" is not a %s from %s to %s%s: ignored\n", name.text, value.text,
             desc->kind == SIZE ? "size" : "number", amount(desc, desc->least).text,
             amount(desc, desc->most).text,
             takes_words(desc) ? ", nor off, on, false, true, no or yes" : "");
}

static void complain(const char* entry, void* complained) {
  mi_option_t option;
  long value;
  meaning_t meaning = understand(entry, &option, &value);
  *(bool*)complained |= meaning == UNKNOWN || meaning == MALFORMED;
  if (meaning == UNKNOWN) complain_of_name(entry);
  if (meaning == MALFORMED) complain_of_value(entry, option);
}

/* ---- Reading ---- */

static void note(const char* entry, void* found) {
  (void)entry;
  *(bool*)found = true;
}

bool mi_environment_has(const char* prefix) {
  bool found = false;
  mi_os_for_each_variable(prefix, note, &found);
  return found;
}

static bool complained;

bool mi_options_complained(void) { return complained; }

/* Several threads may run this at the same time: they choose the same values. */
void mi_options_read(void) {
  static _Atomic(bool) done;
  if (mi_likely(atomic_load_explicit(&done, memory_order_acquire))) return;
  for (meaning_t wanted = OURS; wanted <= SYNONYM_OLDER; wanted++) {
    if (!mi_os_for_each_variable(OURS_BEGIN, apply, &wanted)) return;
  }
  /* Release publishes the values. One thread complains, and only now: to complain is to read
     options. */
  if (atomic_exchange_explicit(&done, true, memory_order_acq_rel)) return;
  if (!mi_environment_has("MIHEAP_REPORTED=")) {
    mi_os_for_each_variable(OURS_BEGIN, complain, &complained);
  }
}
