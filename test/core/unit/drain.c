/* A class that has many pages after a peak: while blocks are replaced at random, most of its pages become empty
   and go. */
#include "check.h"
#include "heap/thread.h"
#include "memory.h"
#include "page/size_class.h"
#include "random.h"

/* Every fifth block is kept. */
enum { SIZE = 512, PEAK = 5000, SHARE = 5, KEPT = PEAK / SHARE };

static void* blocks[PEAK];
static random_t random_state;

/* It is written to, so that it does not look like a free one. */
static void* make(void) {
  void* block = mi_malloc(SIZE);
  CHECK(block != NULL);
  memset(block, 1, SIZE);
  return block;
}

static void replace(size_t times) {
  while (times-- > 0) {
    size_t i = SHARE * random_below(&random_state, KEPT);
    mi_free(blocks[i]);
    blocks[i] = make();
  }
}

int main(void) {
  mi_heap_t* heap = mi_heap_get();
  const uint32_t* pages = &heap->pages_of[mi_bin_of(SIZE)];
  for (size_t i = 0; i < PEAK; i++) blocks[i] = make();
  uint32_t at_peak = *pages;
  for (size_t i = 0; i < PEAK; i++) {
    if (i % SHARE != 0) mi_free(blocks[i]);
  }
  CHECK_CMP(at_peak, >=, PEAK * SIZE / MI_UNIT_SIZE);
  replace(40 * KEPT);
  CHECK_CMP(*pages, <=, at_peak / 2);
  memory_check();
  for (size_t i = 0; i < PEAK; i += SHARE) mi_free(blocks[i]);
  return 0;
}
