/* How other threads may take blocks out of a magazine whose owner pops by plain loads and stores
   (mi_magazine_empty_slot): who takes has all threads fenced first (os/fence.h). Where there is no
   such fence owners pop by exchanges. Any thread may call these functions. */
#ifndef MI_MAGAZINE_FENCE_H
#define MI_MAGAZINE_FENCE_H

#include "types.h"

/* For the owner of a magazine that no thread has looked into yet, before any may. */
void mi_magazine_expect_takers(mi_magazine_t* magazine);

/* From now on the owners of the magazines from `first` to before `end` pop by exchanges, but for
   pops that are under way: if all threads were fenced, their slots are seen not to be in use.
   Returns whether they were. */
bool mi_magazines_begin_taking(mi_magazine_t* first, const mi_magazine_t* end);
/* Between begin_taking, which returned `fenced`, and end_taking: whether blocks may be taken out of
   slots in use. If not all threads were fenced, its owner pops by exchanges from now on, and they
   may once it has done so for a while. */
bool mi_magazine_may_take(mi_magazine_t* magazine, bool fenced);
void mi_magazines_end_taking(mi_magazine_t* first, const mi_magazine_t* end);

#endif
