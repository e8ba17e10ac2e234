/* The values of options; the table is MI_OPTIONS in miheap.h. */
#include "options/options.h"

#include "options/report.h"

const mi_option_desc_t mi_option_descs[_mi_option_last] = {
#define OPTION(name, kind, value, least, most, doc) {#name, kind, least, most},
    MI_OPTIONS(OPTION)
#undef OPTION
};

static _Atomic(long) values[_mi_option_last] = {
#define OPTION(name, kind, value, least, most, doc) value,
    MI_OPTIONS(OPTION)
#undef OPTION
};
/* Whether the environment or the program chose the value. */
static _Atomic(bool) chosen[_mi_option_last];

/* Bit per option: set for a SIZE. So that a process that only asks for values does not touch the
   descriptions. */
static const uint64_t sizes = 0
#define OPTION(name, kind, value, least, most, doc) | (uint64_t)((kind) == SIZE) << mi_option_##name
    MI_OPTIONS(OPTION)
#undef OPTION
    ;
_Static_assert(_mi_option_last <= 64, "a bit for each");

static bool exists(mi_option_t option) { return (unsigned)option < (unsigned)_mi_option_last; }

/* Relaxed: a value orders nothing. */
static void store(mi_option_t option, long value) {
  atomic_store_explicit(&values[option], value, memory_order_relaxed);
}

void mi_option_choose(mi_option_t option, long value) {
  if (!atomic_exchange_explicit(&chosen[option], true, memory_order_relaxed)) store(option, value);
}

/* The nearest value that the option may have. */
static long allowed(mi_option_t option, long value) {
  const mi_option_desc_t* desc = &mi_option_descs[option];
  if (desc->kind == SWITCH) return value != 0;
  if (value < desc->least) return desc->least;
  return value > desc->most ? desc->most : value;
}

long mi_option_get(mi_option_t option) mi_attr_noexcept {
  if (!exists(option)) return 0;
  mi_options_read();
  return atomic_load_explicit(&values[option], memory_order_relaxed);
}

mi_cold long mi_option_get_clamp(mi_option_t option, long min, long max) mi_attr_noexcept {
  long value = mi_option_get(option);
  if (value < min) return min;
  return value > max ? max : value;
}

size_t mi_option_get_size(mi_option_t option) mi_attr_noexcept {
  long value = mi_option_get(option);
  if (value <= 0) return 0;
  return (size_t)value * (sizes >> option & 1 ? 1024 : 1);
}

mi_cold void mi_option_set(mi_option_t option, long value) mi_attr_noexcept {
  if (!exists(option)) return;
  mi_options_read(); /* or the environment would be read later, and win */
  atomic_store_explicit(&chosen[option], true, memory_order_relaxed);
  store(option, allowed(option, value));
}

mi_cold void mi_option_set_default(mi_option_t option, long value) mi_attr_noexcept {
  if (!exists(option)) return;
  mi_options_read();
  if (!atomic_load_explicit(&chosen[option], memory_order_relaxed))
    store(option, allowed(option, value));
}

bool mi_option_is_enabled(mi_option_t option) mi_attr_noexcept {
  return mi_option_get(option) != 0;
}
mi_cold void mi_option_set_enabled(mi_option_t option, bool enable) mi_attr_noexcept {
  mi_option_set(option, enable);
}
mi_cold void mi_option_set_enabled_default(mi_option_t option, bool enable) mi_attr_noexcept {
  mi_option_set_default(option, enable);
}
mi_cold void mi_option_enable(mi_option_t option) mi_attr_noexcept { mi_option_set(option, 1); }
mi_cold void mi_option_disable(mi_option_t option) mi_attr_noexcept { mi_option_set(option, 0); }

mi_cold void mi_options_print(void) mi_attr_noexcept {
  for (int i = 0; i < _mi_option_last; i++) {
    const mi_option_desc_t* desc = &mi_option_descs[i];
    mi_message("option %s = %ld%s\n", desc->name, mi_option_get((mi_option_t)i),
               desc->kind == SIZE ? " KiB" : "");
  }
}
