/* What the functions on sub-processes have in common. */
#ifndef MI_API_SUBPROC_H
#define MI_API_SUBPROC_H

#include "segment/subproc.h"

/* The sub-process with this id. NULL, after a report that names `function`, if there is none. */
mi_subproc_t* mi_subproc_accept(const char* function, mi_subproc_id_t id);

#endif
