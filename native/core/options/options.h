/* The options: MI_OPTIONS of miheap.h as data. */
#ifndef MI_OPTIONS_H
#define MI_OPTIONS_H

#include "types.h"

typedef enum mi_option_kind_e { SWITCH, NUMBER, SIZE } mi_option_kind_t;

typedef struct mi_option_desc_s {
  char name[28]; /* a pointer would be relocated in every process */
  mi_option_kind_t kind;
  long least;
  long most;
} mi_option_desc_t;

extern const mi_option_desc_t mi_option_descs[_mi_option_last];

/* Reads all options from the environment, and complains of what is wrong there. Does nothing if
   that is done, or the C library has not set up the environment yet. Every function that gets or
   sets an option calls this. */
void mi_options_read(void);

/* Whether something in the environment was wrong, and this process said so. Must be called by the
   thread that starts the process. */
bool mi_options_complained(void);

/* Whether a variable of the environment begins with `prefix`, such as "NAME=". Never so in a
   set-user-id program. */
bool mi_environment_has(const char* prefix);

/* Gives the option this value, unless one was chosen before. */
void mi_option_choose(mi_option_t option, long value);

#endif
