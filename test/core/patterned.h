/* Blocks that say what is in them, for tests that hand them from thread to thread. */
#ifndef MI_TEST_PATTERNED_H
#define MI_TEST_PATTERNED_H

#include "check.h"
#include "miheap.h"
#include "pattern.h"
#include "random.h"

typedef struct patterned_s {
  size_t size; /* with this header */
  uint64_t seed;
} patterned_t;

/* `size`: at least that of the header. */
static inline patterned_t* patterned_make(random_t* rng, size_t size) {
  patterned_t* b = mi_malloc(size);
  CHECK(b != NULL);
  *b = (patterned_t){size, random_next(rng)};
  pattern_fill(b + 1, size - sizeof(*b), b->seed);
  return b;
}

/* Frees the block, which must be as it was made. NULL: nothing. */
static inline void patterned_unmake(patterned_t* b) {
  if (b == NULL) return;
  CHECK(pattern_holds(b + 1, b->size - sizeof(*b), b->seed));
  mi_free(b);
}

#endif
