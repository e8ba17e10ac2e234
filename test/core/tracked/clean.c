/* No crime: whatever a program may do with its blocks, in two threads, is reported by nobody. */
#include <pthread.h>

#include "calls.h"
#include "check.h"
#include "pattern.h"

enum { BLOCKS = 40 };

static void* left[BLOCKS];

static void use(void) {
  for (size_t s = 0; s < SIZES; s++) {
    size_t size = sizes[s];
    void* p = ALLOCATE(size);
    pattern_fill(p, size, s);
    p = RESIZE(p, size + 1000);
    CHECK(pattern_holds(p, size, s));
    p = RESIZE(p, size / 2);
    CHECK(pattern_holds_prefix(p, size / 2, size, s));
    /* All that usable_size says. */
    size_t usable = mi_usable_size(p);
    memset(p, 2, usable);
    RELEASE(p);
    p = ALLOCATE_ZERO(size, 1);
    CHECK(is_all_zero(p, size));
    RELEASE(p);
    for (size_t align = 1; align <= (size_t)1 << 22; align <<= 2) {
      p = mi_zalloc_aligned_at(size, align, 24);
      CHECK_EQ(((uintptr_t)p + 24) & (align - 1), 0);
      CHECK(is_all_zero(p, size));
      RELEASE(p);
      p = mi_malloc_aligned(size, align);
      CHECK_EQ((uintptr_t)p & (align - 1), 0);
      CHECK_CMP(mi_usable_size(p), >=, size);
      pattern_fill(p, size, s);
      p = mi_rezalloc_aligned(p, size + 5, align);
      CHECK(pattern_holds(p, size, s));
      RELEASE(p);
    }
  }
}

/* To no bytes at all, without a move. */
static void shrink_to_nothing(void) {
  for (size_t size = 0; size <= 8; size++) {
    void* p = RESIZE(ALLOCATE(size), 0);
    CHECK_EQ(mi_usable_size(p), 0);
    RELEASE(RESIZE(p, size));
  }
}

static void* thread(void* arg) {
  use();
  shrink_to_nothing();
  /* Blocks of the other thread, and some for it. */
  for (size_t i = 0; i < BLOCKS; i++) {
    RELEASE(left[i]);
    left[i] = ALLOCATE(i * 300);
    memset(left[i], 3, i * 300);
  }
  return arg;
}

/* The visitor is shown what the caller got, and may touch it. */
static bool
show(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap;
  (void)area;
  if (block == NULL) return true;
  size_t* shown = arg;
  for (size_t i = 0; i < BLOCKS; i++) {
    if (left[i] != block) continue;
    ++*shown;
    CHECK_EQ(size, i * 300);
    memset(block, 5, size);
  }
  return true;
}

static void visit(void) {
  size_t shown = 0;
  CHECK(mi_heap_visit_blocks(mi_heap_get_default(), true, show, &shown));
  CHECK_EQ(shown, BLOCKS);
}

int main(void) {
  use();
  for (size_t i = 0; i < BLOCKS; i++) left[i] = ALLOCATE(i * 300);
  visit();
  pthread_t other;
  CHECK_EQ(pthread_create(&other, NULL, thread, NULL), 0);
  pthread_join(other, NULL);
  for (size_t i = 0; i < BLOCKS; i++) RELEASE(left[i]);

  mi_heap_t* heap = mi_heap_new();
  for (size_t i = 0; i < BLOCKS; i++) memset(mi_heap_malloc(heap, i * 1000), 4, i * 1000);
  mi_heap_destroy(heap);
  heap = mi_heap_new();
  void* p = mi_heap_strdup(heap, "abc");
  mi_heap_delete(heap);
  RELEASE(p);
  mi_collect(true);
  use();
  puts("clean");
  return 0;
}
