/* What the programs of this folder call: mi_malloc and its kin, or, with OVERRIDDEN, malloc and its kin of the
   overriding library. */
#ifndef MI_TEST_TRACKED_CALLS_H
#define MI_TEST_TRACKED_CALLS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miheap.h"

#if defined(OVERRIDDEN)
#define ALLOCATE malloc
#define ALLOCATE_ZERO calloc
#define RESIZE realloc
#define RELEASE free
#else
#define ALLOCATE mi_malloc
#define ALLOCATE_ZERO mi_calloc
#define RESIZE mi_realloc
#define RELEASE mi_free
#endif

/* Of small, medium, large and huge blocks. */
enum { SIZES = 5 };
static const size_t sizes[SIZES] = {1, 100, 20000, 200000, 5000000};

#endif
