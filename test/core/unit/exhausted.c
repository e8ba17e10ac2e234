/* Where memory is exhausted, a free block of any larger class will do. */
#include "check.h"
#include "memory.h"
#include "pattern.h"

enum { KIB = 1024, LARGE = 1280, SMALL = 400, ALIGNED = 64, MOST_BLOCKS = 1 << 14 };

static void* blocks[MOST_BLOCKS];
static size_t count;
static void* borrowed[MOST_BLOCKS];
static size_t borrowed_count;

static void take_all(size_t size) {
  for (void* p; (p = mi_malloc(size)) != NULL; blocks[count++] = p)
    CHECK_CMP(count, <, MOST_BLOCKS);
}

/* Every other block, so that no page becomes empty. */
static size_t free_half(void) {
  size_t freed = 0;
  for (size_t i = 0; i < count; i += 2, freed++) {
    mi_free(blocks[i]);
    blocks[i] = NULL;
  }
  return freed;
}

static bool borrow(size_t size, size_t align) {
  void* p = align == 1 ? mi_malloc(size) : mi_malloc_aligned(size, align);
  if (p == NULL) return false;
  CHECK_EQ((uintptr_t)p % align, 0);
  CHECK_CMP(mi_usable_size(p), >=, size);
  pattern_fill(p, size, (unsigned)borrowed_count);
  borrowed[borrowed_count++] = p;
  return true;
}

static void free_borrowed(size_t size) {
  while (borrowed_count > 0) {
    borrowed_count--;
    CHECK(pattern_holds(borrowed[borrowed_count], size, (unsigned)borrowed_count));
    mi_free(borrowed[borrowed_count]);
  }
}

static void all_that_is_free(size_t size, size_t align, size_t available) {
  while (borrow(size, align)) {
  }
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(borrowed_count, available);
  memory_check();
  free_borrowed(size);
}

int main(void) {
  CHECK_EQ(mi_reserve_os_memory(8192 * KIB, true, false), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  take_all(LARGE);
  size_t available = free_half();
  CHECK_CMP(available, >, 1000);
  all_that_is_free(SMALL, 1, available);
  all_that_is_free(LARGE - 200, 1, available);
  all_that_is_free(ALIGNED, ALIGNED, available);
  CHECK_PTR(mi_malloc(2 * LARGE), ==, NULL); /* LARGE itself borrows, of pages of 2048 bytes */
  for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  mi_collect(true);
  memory_check();
  return 0;
}
