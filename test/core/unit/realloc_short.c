/* What grows by a little gets more than it asks for. Where memory is short it gets what it asks for, and nobody
   hears that there was not more. */
#include "check.h"
#include "heap/heap.h"
#include "pattern.h"

enum { SIZE = 1000, GROWN = 1100, LARGER = 1280, KIB = 1024, MOST_BLOCKS = 1 << 20 };

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

/* All that there is: pages of all lengths, and blocks of all sizes that could be borrowed from. */
static void take_all(void) {
  for (size_t size = 2048 * KIB; size >= 8; size /= 2) {
    while (take(size)) {
    }
  }
  while (take(LARGER)) {
  }
}

static void roomy(void) {
  void* p = mi_malloc(SIZE);
  p = mi_realloc(p, GROWN);
  /* Checked builds ask more questions. */
  CHECK_EQ(mi_usable_size(p), mi_good_size(MI_CHECKED ? GROWN : LARGER));
  mi_free(p);
}

/* The slow path of the larger block runs this, which takes the only one that is left. */
static bool may_take, has_taken;

static void take_larger(bool force, unsigned long long heartbeat, void* arg) {
  (void)force, (void)heartbeat, (void)arg;
  if (!may_take) return;
  may_take = false;
  has_taken = take(LARGER);
}

/* As often as it takes until the slow path has a heartbeat just then. There is a free block of each size. */
static void beside_callbacks(void* p, void* last, void* larger) {
  unsigned taken = 0;
  mi_register_deferred_free(take_larger, NULL);
  for (int quick = 0; quick < 80; quick++) {
    mi_free(last);
    mi_free(larger);
    for (int i = 0; i < quick; i++) {
      larger = mi_malloc(LARGER);
      CHECK(larger != NULL);
      mi_free(larger);
    }
    errors = 0;
    has_taken = false;
    may_take = true;
    void* q = mi_realloc(p, GROWN);
    may_take = false;
    CHECK(q != NULL);
    CHECK_EQ(errors, 0);
    taken += has_taken;
    bool got_less = mi_usable_size(q) < LARGER;
    last = got_less ? q : mi_malloc(GROWN);
    larger = has_taken ? blocks[--count] : got_less ? mi_malloc(LARGER) : q;
    p = mi_malloc(SIZE);
    CHECK(p != NULL && last != NULL && larger != NULL);
  }
  CHECK_CMP(taken, >, 0);
  mi_register_deferred_free(NULL, NULL);
  mi_free(p);
  mi_free(last);
  mi_free(larger);
}

int main(void) {
  CHECK_EQ(mi_reserve_os_memory(8192 * KIB, true, false), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  /* More than a class may borrow. */
  for (int i = 0; i < 20; i++) CHECK(take(GROWN) && take(LARGER));
  roomy();
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 1);
  void* last = mi_malloc(GROWN);
  void* spare = mi_malloc(GROWN);
  void* larger = mi_malloc(LARGER);
  void* small = mi_malloc(SIZE);
  mi_register_error(count_error, NULL);
  take_all();
  while (take(GROWN)) {
  }
  mi_free(last);
  errors = 0;
  void* q = mi_realloc(p, GROWN);
  CHECK(q != NULL);
  CHECK_PTR(q, !=, p);
  CHECK_EQ(errors, 0);
  CHECK(pattern_holds(q, SIZE, 1));
  while (take(LARGER + 100)) {
  }
  take_all();
  errors = 0;
  CHECK_PTR(mi_realloc(q, LARGER + 100), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(errors, 1);
  CHECK(pattern_holds(q, SIZE, 1));
  mi_free(q);
  take_all();
  beside_callbacks(small, spare, larger);
  while (count > 0) mi_free(blocks[--count]);
  return 0;
}
