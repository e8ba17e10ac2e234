/* malloc before any constructor of ours: in preinit_array, in the constructors of a library that comes before
   miheap, and in those of the program. */
#include "ours.h"
#include "pattern.h"

enum { SIZES = 6, STAGES = 3 };
static const size_t sizes[SIZES] = {1, 24, 1000, 20000, 300000, 5000000};

/* Not static data with an initialiser: nothing may have been set up yet. */
static void* blocks[STAGES][SIZES];

static void allocate(int stage) {
  for (int i = 0; i < SIZES; i++) {
    void* p = malloc(sizes[i]);
    void* other = calloc(2, sizes[i]);
    blocks[stage][i] = realloc(p, sizes[i] + 100);
    pattern_fill(blocks[stage][i], sizes[i], (uint64_t)(stage * SIZES + i));
    free(other);
  }
}

static void release(int stage) {
  for (int i = 0; i < SIZES; i++) {
    CHECK(is_ours(blocks[stage][i]));
    CHECK(pattern_holds(blocks[stage][i], sizes[i], (uint64_t)(stage * SIZES + i)));
    free(blocks[stage][i]);
  }
}

#if defined(TEST_LIBRARY)
extern void* early_library_blocks[4];
#endif

static void before_constructors(void) { allocate(0); }
__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = before_constructors;

__attribute__((constructor(101))) static void first_constructor(void) { allocate(1); }
__attribute__((constructor)) static void last_constructor(void) { allocate(2); }

int main(void) {
  for (int stage = 0; stage < STAGES; stage++) release(stage);
#if defined(TEST_LIBRARY)
  for (int i = 0; i < 4; i++) CHECK(is_ours(early_library_blocks[i])); /* it frees them itself */
#endif
  return 0;
}
