/* A small block that grows by a little gets more than it asks for. Where memory is short it gets what it asks for, and
   nobody hears that there was not more. */
#include "check.h"
#include "pattern.h"
#include "types.h"

enum {
  SIZE = 512,
  GROWN = 550,
  LARGER = 640,
  KIB = 1024,
  NOT_SMALL = 2 * KIB,
  MOST_BLOCKS = 1 << 20
};

static void* blocks[MOST_BLOCKS];
static size_t count;
static unsigned errors;

static void count_error(int error, void* arg) {
  (void)arg;
  CHECK_EQ(error, ENOMEM);
  errors++;
}

static bool take(size_t size) {
  CHECK_CMP(count, <, MOST_BLOCKS);
  void* p = mi_malloc(size);
  if (p != NULL) blocks[count++] = p;
  return p != NULL;
}

static void take_all_of(size_t size) {
  while (take(size)) {
  }
}

/* All that there is: pages of all lengths, and blocks of all sizes that could be borrowed from. */
static void take_all(void) {
  for (size_t size = 2048 * KIB; size >= 8; size /= 2) take_all_of(size);
  take_all_of(LARGER);
}

static void roomy(void) {
  void* p = mi_malloc(SIZE);
  p = mi_realloc(p, GROWN);
  /* Checked builds ask more questions. */
  CHECK_EQ(mi_usable_size(p), mi_good_size(MI_CHECKED ? GROWN : LARGER));
  mi_free(p);
  p = mi_realloc(mi_malloc(NOT_SMALL), NOT_SMALL + 1);
  CHECK_EQ(mi_usable_size(p), mi_good_size(NOT_SMALL + 1));
  mi_free(p);
}

/* The slow path of the larger block runs this, which takes the only one that is left. */
static bool has_taken;

static void take_larger(bool force, unsigned long long heartbeat, void* arg) {
  (void)force, (void)heartbeat, (void)arg;
  if (!has_taken) has_taken = take(LARGER);
}

/* There is a free block of each size, both in pages that are not full. */
static void beside_a_callback(void* p) {
  mi_register_deferred_free(take_larger, NULL);
  mi_heap_get_backing()->quick_blocks = 0; /* the next slow path has a heartbeat */
  errors = 0;
  void* q = mi_realloc(p, GROWN);
  CHECK(q != NULL);
  CHECK(has_taken || MI_CHECKED);
  CHECK_EQ(errors, 0);
  mi_register_deferred_free(NULL, NULL);
  mi_free(q);
}

int main(void) {
  CHECK_EQ(mi_reserve_os_memory(8192 * KIB, true, false), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  /* More than a class may borrow. */
  for (int i = 0; i < 20; i++) CHECK(take(GROWN) && take(LARGER) && take(NOT_SMALL + 1));
  roomy();
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 1);
  void* last = mi_malloc(GROWN);
  void* spare = mi_malloc(GROWN);
  void* larger = mi_malloc(LARGER);
  void* small = mi_malloc(SIZE);
  mi_register_error(count_error, NULL);
  take_all();
  take_all_of(GROWN);
  mi_free(last);
  errors = 0;
  void* q = mi_realloc(p, GROWN);
  CHECK(q != NULL);
  CHECK_PTR(q, !=, p);
  CHECK_EQ(errors, 0);
  CHECK(pattern_holds(q, SIZE, 1));
  take_all_of(LARGER + 100);
  take_all();
  errors = 0;
  CHECK_PTR(mi_realloc(q, LARGER + 100), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(errors, 1);
  CHECK(pattern_holds(q, SIZE, 1));
  mi_free(q);
  take_all();
  for (int i = 0; i < 2; i++) { /* the first time their pages leave the full queue */
    mi_free(larger);
    mi_free(spare);
    mi_collect(true);
    larger = mi_malloc(LARGER);
    spare = mi_malloc(GROWN);
    CHECK(larger != NULL && spare != NULL);
  }
  mi_free(larger);
  mi_free(spare);
  beside_a_callback(small);
  while (count > 0) mi_free(blocks[--count]);
  return 0;
}
