/* The environment of a preloaded process. */
#include <stdlib.h>
#include <string.h>

#include "options/options.h"
#include "os/os.h"

static const char library[] = "libmiheap";

static int names_us(const char* entry, size_t length) {
  const char* slash = memrchr(entry, '/', length);
  const char* base = slash == NULL ? entry : slash + 1;
  size_t rest = length - (size_t)(base - entry);
  return rest >= sizeof(library) - 1 && memcmp(base, library, sizeof(library) - 1) == 0;
}

/* Takes our entries out of the list, in place. Entries are separated by colons or blanks. */
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

static mi_cold void take_us_out(void) {
  char* list = getenv("LD_PRELOAD");
  unsetenv("MIHEAP_NO_INHERIT");
  if (list == NULL) return;
  remove_us(list);
  if (*list == 0) unsetenv("LD_PRELOAD");
}

static void look_for_wish(const char* entry, void* found) {
  (void)entry;
  *(bool*)found = true;
}

/* MIHEAP_NO_INHERIT: the children of this process get their own malloc. */
__attribute__((constructor)) static void stop_inheritance(void) {
  bool wished = false;
  mi_os_for_each_variable("MIHEAP_NO_INHERIT=", look_for_wish, &wished);
  if (wished) take_us_out();
}

/* What is wrong in the environment is said by the first process that finds it, not by each one that
   it starts. */
__attribute__((constructor)) static void mark_reported(void) {
  mi_process_init();
  if (mi_options_complained() && getenv("LD_PRELOAD") != NULL) setenv("MIHEAP_REPORTED", "1", 1);
}
