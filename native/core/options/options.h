/* The table of options, as data. */
#ifndef MI_OPTIONS_H
#define MI_OPTIONS_H

#include "types.h"

typedef enum mi_option_kind_e { SWITCH, NUMBER, SIZE } mi_option_kind_t;

typedef struct mi_option_desc_s {
  char name[28]; /* not a pointer, which would be relocated in every process */
  mi_option_kind_t kind;
  long least;
  long most;
} mi_option_desc_t;

extern const mi_option_desc_t mi_option_descs[_mi_option_last];

/* Reads every option from the environment now, so that none is read, and complained about, in the
   middle of something. Does nothing once it has, or as long as there is no environment yet. */
void mi_options_read(void);

/* Something in the environment was wrong, and this process is the one that said so. For the thread
   that starts the process. */
bool mi_options_complained(void);

/* Takes the value unless one was chosen before. */
void mi_option_choose(mi_option_t option, long value);

#endif
