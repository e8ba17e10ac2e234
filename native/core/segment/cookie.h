/* The word that tells a living segment from memory that only looks like one. */
#ifndef MI_COOKIE_H
#define MI_COOKIE_H

#include "types.h"

/* The value of segment->cookie in every living segment, made of its address and a secret of the
   process. Any thread. */
uintptr_t mi_segment_cookie(const mi_segment_t* segment);

#endif
