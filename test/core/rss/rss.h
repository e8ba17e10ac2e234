/* Tests that measure the memory of the process as the system sees it, and nothing that miheap counts. */
#ifndef MI_TEST_RSS_H
#define MI_TEST_RSS_H

#include <pthread.h>
#include <time.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "random.h"

#define MIB ((size_t)1 << 20)

static inline void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

/* Waits, while this thread gives the others' memory back. */
static inline void collect_for(long ms) {
  for (long waited = 0; waited < ms; waited += 10) {
    sleep_ms(10);
    mi_collect(false);
  }
}

/* Prints what was measured, and requires that it is at most `most` bytes above `start`. */
static inline void require_rss(const char* what, size_t start, size_t most) {
  size_t now = memory_resident();
  double above = ((double)now - (double)start) / (double)MIB;
  printf("%s: %.1f MiB above the start, at most %.1f allowed\n", what, above,
         (double)most / (double)MIB);
  fflush(stdout);
  CHECK_CMP(now, <=, start + most);
}

/* Blocks of all sizes that sum up to some number of bytes, all of them written to. */
typedef struct blocks_s {
  void** p;
  size_t count;
  size_t room;
} blocks_t;

static inline void blocks_fill(blocks_t* b, random_t* r, size_t bytes) {
  b->count = 0;
  b->room = bytes / 256; /* the mean size is well above that */
  b->p = mi_malloc(b->room * sizeof(void*));
  for (size_t sum = 0; sum < bytes;) {
    size_t size = 1 + random_size(r);
    CHECK_CMP(b->count, <, b->room);
    void* p = mi_malloc(size);
    memset(p, 1, size);
    b->p[b->count++] = p;
    sum += size;
  }
}

/* In no order. */
static inline void blocks_free(blocks_t* b, random_t* r) {
  while (b->count > 0) {
    size_t i = random_below(r, b->count);
    mi_free(b->p[i]);
    b->p[i] = b->p[--b->count];
  }
  mi_free(b->p);
}

#endif
