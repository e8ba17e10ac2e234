/* The word by which a living segment is told from memory that only looks like one. */
#ifndef MI_COOKIE_H
#define MI_COOKIE_H

#include "types.h"

/* What segment->cookie holds in every living segment: its address and a secret of the process. Any thread. */
uintptr_t mi_segment_cookie(const mi_segment_t* segment);

#endif
