/* Changes the environment of a preloaded process, for the processes that it starts. */
#include <stdlib.h>
#include <string.h>

#include "options/options.h"

static const char library[] = "libmiheap";

static bool names_us(const char* entry, size_t length) {
  const char* slash = memrchr(entry, '/', length);
  const char* base = slash == NULL ? entry : slash + 1;
  size_t rest = length - (size_t)(base - entry);
  return rest >= sizeof(library) - 1 && memcmp(base, library, sizeof(library) - 1) == 0;
}

/* Removes our entries from the list, in place. Entries are separated by colons or blanks. */
static void remove_us(char* list) {
  char* to = list;
  for (char* from = list; *from != 0;) {
    size_t length = strcspn(from, ": ");
    if (length > 0 && !names_us(from, length)) {
      if (to != list) *to++ = ':';
      memmove(to, from, length);
      to += length;
    }
    from += length;
    if (*from != 0) from++;
  }
  *to = 0;
}

static mi_cold void end_inheritance(void) {
  char* list = getenv("LD_PRELOAD");
  unsetenv("MIHEAP_NO_INHERIT");
  if (list == NULL) return;
  remove_us(list);
  if (*list == 0) unsetenv("LD_PRELOAD");
}

/* With MIHEAP_NO_INHERIT, the processes that this one starts have their own malloc. */
__attribute__((constructor)) static void look_for_wish(void) {
  if (mi_environment_has("MIHEAP_NO_INHERIT=")) end_inheritance();
}

/* A process that complained of the environment tells those that it starts, so that they do not. */
__attribute__((constructor)) static void mark_reported(void) {
  mi_process_init();
  if (mi_options_complained() && getenv("LD_PRELOAD") != NULL) setenv("MIHEAP_REPORTED", "1", 1);
}
