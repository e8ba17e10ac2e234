/* Options: the table is MI_OPTIONS in miheap.h; here are its values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options/report.h"
#include "os/os.h"

typedef struct mi_option_desc_s {
  const char* name;
  long value;
  long least;
  long most;
} mi_option_desc_t;

static const mi_option_desc_t descs[_mi_option_last] = {
#define OPTION(name, value, least, most, doc) {#name, value, least, most},
    MI_OPTIONS(OPTION)
#undef OPTION
};

enum { UNREAD, DEFAULT, CHOSEN };

/* Readers race with each other only to store the same value. */
static _Atomic(long) values[_mi_option_last];
static _Atomic(unsigned char) states[_mi_option_last];

static void store(mi_option_t option, long value, unsigned char state) {
  atomic_store_explicit(&values[option], value, memory_order_relaxed);
  atomic_store_explicit(&states[option], state, memory_order_release); /* publishes the value */
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

static bool equals_upper(const char* text, const char* word) {
  for (; *text != 0 && upper(*text) == *word; text++, word++) {
  }
  return *text == 0 && *word == 0;
}

/* A switch word, or a number with an optional K, M or G. */
static bool parse(const char* text, long* value) {
  static const char* const on[] = {"1", "ON", "TRUE", "YES"};
  static const char* const off[] = {"0", "OFF", "FALSE", "NO"};
  for (size_t i = 0; i < 4; i++) {
    if (equals_upper(text, on[i]) || equals_upper(text, off[i])) {
      *value = equals_upper(text, on[i]);
      return true;
    }
  }
  int saved = errno;
  char* end;
  errno = 0;
  long number = strtol(text, &end, 10);
  bool ok = errno == 0 && end != text;
  errno = saved;
  if (!ok) return false;
  long unit = 1;
  switch (upper(*end)) {
  case 'K': unit = 1L << 10; break;
  case 'M': unit = 1L << 20; break;
  case 'G': unit = 1L << 30; break;
  default: break;
  }
  if (unit != 1) end++;
  return *end == 0 && !__builtin_mul_overflow(number, unit, value);
}

static const char*
from_environment(const char* prefix, const char* name, char* variable, bool* ready) {
  char* end = variable;
  for (; *prefix != 0; prefix++) *end++ = *prefix;
  for (; *name != 0; name++) *end++ = upper(*name);
  *end = 0;
  return mi_os_getenv(variable, ready);
}

static void read_option(mi_option_t option) {
  const mi_option_desc_t* desc = &descs[option];
  char variable[64];
  bool ready;
  const char* text = from_environment("MIHEAP_", desc->name, variable, &ready);
  if (text == NULL) text = from_environment("MIMALLOC_", desc->name, variable, &ready);
  if (text == NULL) {
    atomic_store_explicit(&values[option], desc->value, memory_order_relaxed);
    if (ready) store(option, desc->value, DEFAULT);
    return;
  }
  long value;
  if (parse(text, &value) && value >= desc->least && value <= desc->most) {
    store(option, value, CHOSEN);
    return;
  }
  store(option, desc->value, DEFAULT); /* before the report, which reads options itself */
  mi_warning("%s=\"%s\" is not a number from %ld to %ld: ignored\n", variable, text, desc->least,
             desc->most);
}

static unsigned char state_of(mi_option_t option) {
  unsigned char state = atomic_load_explicit(&states[option], memory_order_acquire);
  if (mi_unlikely(state == UNREAD)) {
    read_option(option);
    state = atomic_load_explicit(&states[option], memory_order_acquire);
  }
  return state;
}

static bool exists(mi_option_t option) { return (unsigned)option < (unsigned)_mi_option_last; }

long mi_option_get(mi_option_t option) mi_attr_noexcept {
  if (!exists(option)) return 0;
  state_of(option);
  return atomic_load_explicit(&values[option], memory_order_relaxed);
}

void mi_option_set(mi_option_t option, long value) mi_attr_noexcept {
  if (!exists(option)) return;
  if (value < descs[option].least || value > descs[option].most) {
    mi_warning("option %s: %ld is not from %ld to %ld: ignored\n", descs[option].name, value,
               descs[option].least, descs[option].most);
    return;
  }
  store(option, value, CHOSEN);
}

void mi_option_set_default(mi_option_t option, long value) mi_attr_noexcept {
  if (exists(option) && state_of(option) != CHOSEN) mi_option_set(option, value);
}

void mi_options_read(void) {
  for (int i = 0; i < _mi_option_last; i++) state_of((mi_option_t)i);
}

bool mi_option_is_enabled(mi_option_t option) mi_attr_noexcept {
  return mi_option_get(option) != 0;
}
void mi_option_set_enabled(mi_option_t option, bool enable) mi_attr_noexcept {
  mi_option_set(option, enable);
}
void mi_option_enable(mi_option_t option) mi_attr_noexcept { mi_option_set(option, 1); }
void mi_option_disable(mi_option_t option) mi_attr_noexcept { mi_option_set(option, 0); }

void mi_options_print(void) mi_attr_noexcept {
  for (int i = 0; i < _mi_option_last; i++) {
    mi_message("option %s = %ld\n", descs[i].name, mi_option_get((mi_option_t)i));
  }
}
