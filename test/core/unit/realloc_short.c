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

int main(void) {
  CHECK_EQ(mi_reserve_os_memory(8192 * KIB, true, false), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  /* More than a class may borrow. */
  for (int i = 0; i < 20; i++) CHECK(take(GROWN) && take(LARGER));
  roomy();
  void* p = mi_malloc(SIZE);
  pattern_fill(p, SIZE, 1);
  void* last = mi_malloc(GROWN);
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
  while (count > 0) mi_free(blocks[--count]);
  return 0;
}
