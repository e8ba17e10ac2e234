/* What the programs of this folder have in common: witnesses, that is live blocks of every kind, which must be
   as they were after the crime, for a process that goes on. */
#ifndef MI_TEST_CRIME_H
#define MI_TEST_CRIME_H

#include "memory.h"
#include "miheap.h"
#include "pattern.h"

enum { WITNESSES = 7 };
static const size_t witness_sizes[WITNESSES] = {16, 100, 5000, 20000, 50000, 500000, 3000000};
static void* witnesses[WITNESSES];

static inline void prepare(void) {
  for (int i = 0; i < WITNESSES; i++) {
    witnesses[i] = mi_malloc(witness_sizes[i]);
    pattern_fill(witnesses[i], witness_sizes[i], (uint64_t)i);
  }
}

/* Tells the runner which pointer the message will name. */
static inline void announce(const void* p) {
  printf("%p\n", p);
  fflush(stdout);
}

/* The crime was ignored: memory is intact and in order, and can be used. */
static inline int unharmed(void) {
  heaps_check();
  for (int i = 0; i < WITNESSES; i++) {
    CHECK(pattern_holds(witnesses[i], witness_sizes[i], (uint64_t)i));
    void* p = mi_malloc(witness_sizes[i]);
    pattern_fill(p, witness_sizes[i], 77);
    for (int k = 0; k < WITNESSES; k++) CHECK(p != witnesses[k]);
    CHECK(pattern_holds(p, witness_sizes[i], 77));
    mi_free(p);
    mi_free(witnesses[i]);
  }
  mi_collect(true);
  memory_check();
  return 0;
}

#endif
