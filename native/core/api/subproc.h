/* The check that functions on sub-processes share. */
#ifndef MI_API_SUBPROC_H
#define MI_API_SUBPROC_H

#include "segment/subproc.h"

/* The sub-process with this id. If there is none, reports that for `function` and returns NULL. */
mi_subproc_t* mi_subproc_accept(const char* function, mi_subproc_id_t id);

#endif
