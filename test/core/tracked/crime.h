/* Each program commits one crime; run.sh checks that the tool names it. The compiler must not see through any
   of it. */
#ifndef MI_TEST_TRACKED_CRIME_H
#define MI_TEST_TRACKED_CRIME_H

#include "calls.h"

static inline void* hide(void* p) {
  void* volatile hidden = p;
  return hidden;
}

static inline unsigned char read_at(const void* p, size_t i) {
  return ((const volatile unsigned char*)p)[i];
}
static inline void write_at(void* p, size_t i) { ((volatile unsigned char*)p)[i] = 1; }

static void commit(size_t size);

/* With all sizes, or with the one that the argument tells. */
int main(int argc, char** argv) {
  for (int i = 0; i < SIZES; i++) {
    if (argc == 1 || i == atoi(argv[1])) commit(sizes[i]);
  }
  return 0;
}

#endif
