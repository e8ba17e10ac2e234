/* Guarded blocks: which ones are, where they end, and that all memory can be accessed again. */
#include <pthread.h>
#include <unistd.h>

#include "bits.h"
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/os.h"
#include "os/rare.h"

/* Whether the byte can be read, as the system sees it. */
static bool accessible(const void* p) {
  static int ends[2] = {-1, -1};
  if (ends[0] < 0) CHECK_EQ(pipe(ends), 0);
  ssize_t written = write(ends[1], p, 1);
  if (written == 1) {
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    return true;
  }
  CHECK_EQ(errno, EFAULT);
  return false;
}

/* The memory without access after the block, or NULL. */
static const uint8_t* guard_of(const void* p, size_t size) {
  const uint8_t* end = (const uint8_t*)mi_align_up((uintptr_t)p + size, mi_os_page_size());
  return mi_usable_size(p) == size && !accessible(end) ? end : NULL;
}

static mi_heap_t* heap_with(size_t rate, size_t seed) {
  mi_heap_t* heap = mi_heap_new();
  CHECK(heap != NULL);
  mi_heap_guarded_set_sample_rate(heap, rate, seed);
  return heap;
}

/* Of `count` blocks, those with a guard. Bit i of *which, if not NULL: block i. */
static int guarded_among(mi_heap_t* heap, size_t size, int count, uint64_t* which) {
  int guarded = 0;
  for (int i = 0; i < count; i++) {
    void* p = mi_heap_malloc(heap, size);
    memset(p, i, size);
    if (guard_of(p, size) == NULL) continue;
    guarded++;
    if (which != NULL) *which |= (uint64_t)1 << i;
  }
  return guarded;
}

#if MI_GUARDED

static const size_t sizes[] = {1, 8, 15, 16, 100, 1000, 5000, 50000, 500000, 3000000};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void rate_and_seed(void) {
  mi_heap_t* heap = heap_with(10, 3);
  uint64_t which = 0;
  CHECK_EQ(guarded_among(heap, 100, 60, &which), 6);
  uint64_t expected = 0;
  for (int i = 3; i < 60; i += 10) expected |= (uint64_t)1 << i;
  CHECK_EQ(which, expected);
  mi_heap_guarded_set_sample_rate(heap, 0, 3);
  CHECK_EQ(guarded_among(heap, 100, 60, NULL), 0);
  mi_heap_guarded_set_sample_rate(heap, 7, 0); /* begins anywhere */
  CHECK_EQ(guarded_among(heap, 100, 70, NULL), 10);
  mi_heap_guarded_set_sample_rate(heap, 1, 0);
  CHECK_EQ(guarded_among(heap, 100, 50, NULL), 50);
  mi_heap_destroy(heap);
}

static void bounds(void) {
  mi_heap_t* heap = heap_with(2, 1); /* every other one of those within, from the second on */
  mi_heap_guarded_set_size_bound(heap, 100, 200);
  CHECK_EQ(guarded_among(heap, 99, 10, NULL), 0);
  CHECK_EQ(guarded_among(heap, 201, 11, NULL), 0);
  uint64_t which = 0;
  CHECK_EQ(guarded_among(heap, 100, 3, &which), 1);
  CHECK_EQ(which, 2);
  CHECK_EQ(guarded_among(heap, 200, 3, NULL), 2);
  mi_heap_destroy(heap);
}

static void options(void) {
  mi_option_set(mi_option_guarded_sample_rate, 3);
  mi_option_set(mi_option_guarded_sample_seed, 2);
  mi_option_set(mi_option_guarded_min, 50);
  mi_option_set(mi_option_guarded_max, 60);
  mi_heap_t* heap = mi_heap_new();
  mi_option_set(mi_option_guarded_sample_rate, 0);
  mi_option_set(mi_option_guarded_max, 1L << 30);
  CHECK_EQ(guarded_among(heap, 49, 10, NULL), 0);
  CHECK_EQ(guarded_among(heap, 61, 10, NULL), 0);
  CHECK_EQ(guarded_among(heap, 50, 9, NULL), 3);
  mi_heap_destroy(heap);
  mi_option_set(mi_option_guarded_min, 0);
}

static void where_they_end(void) {
  mi_heap_t* heap = heap_with(1, 0);
  for (int precise = 0; precise < 2; precise++) {
    mi_option_set_enabled(mi_option_guarded_precise, precise != 0);
    for (int i = 0; i < SIZES; i++) {
      uint8_t* p = mi_heap_malloc(heap, sizes[i]);
      const uint8_t* guard = guard_of(p, sizes[i]);
      CHECK(guard != NULL);
      size_t gap = (size_t)(guard - (p + sizes[i]));
      if (precise) {
        CHECK_EQ(gap, 0);
      } else {
        CHECK_CMP(gap, <, MI_MAX_ALIGN);
        CHECK_EQ((uintptr_t)p % MI_MAX_ALIGN, 0);
      }
      memset(p, 1, sizes[i]);
      mi_free(p);
      CHECK(accessible(guard) || sizes[i] > MI_LARGE_BLOCK_MAX);
      uint8_t* zeros = mi_heap_zalloc(heap, sizes[i]);
      for (size_t k = 0; k < sizes[i]; k++) CHECK_EQ(zeros[k], 0);
      mi_free(zeros);
    }
    for (size_t align = 2; align <= mi_os_page_size(); align *= 2) {
      uint8_t* p = mi_heap_malloc_aligned(heap, 100, align);
      CHECK_EQ((uintptr_t)p % align, 0);
      const uint8_t* guard = (uint8_t*)mi_align_up((uintptr_t)p + 100, mi_os_page_size());
      CHECK(!accessible(guard));
      size_t least = precise || align > MI_MAX_ALIGN ? align : MI_MAX_ALIGN;
      CHECK_EQ((uintptr_t)p % least, 0);
      CHECK_CMP(guard - (p + 100), <, least);
      uint8_t* at = mi_heap_malloc_aligned_at(heap, 100, align, 7);
      CHECK_EQ((uintptr_t)(at + 7) % align, 0);
      memset(at, 1, 100);
      CHECK_EQ(mi_usable_size(at), 100);
      mi_free(p);
      mi_free(at);
    }
    uint8_t* beyond = mi_heap_malloc_aligned(heap, 100, 2 * mi_os_page_size());
    CHECK_CMP(mi_usable_size(beyond), >, 100);
    mi_free(beyond);
  }
  mi_option_disable(mi_option_guarded_precise);
  heaps_check();
  mi_heap_destroy(heap);
}

static void count_error(int error, void* count) {
  (void)error;
  ++*(int*)count;
}

/* Where there is memory for the block, and none for its guard, the block is an ordinary one, and that is no error. */
static void no_room_for_guard(void) {
  enum { SLOT = 4 << 20 };
  int errors = 0;
  mi_arena_id_t id;
  CHECK_EQ(mi_reserve_os_memory_ex(SLOT, false, false, true, &id), 0);
  mi_heap_t* heap = mi_heap_new_in_arena(id);
  mi_heap_guarded_set_size_bound(heap, 0, SLOT);
  mi_heap_guarded_set_sample_rate(heap, 1, 0);
  mi_register_error(count_error, &errors);
  for (int i = 0; i < 2; i++) {
    uint8_t* p = mi_heap_zalloc(heap, SLOT - mi_os_page_size());
    CHECK(p != NULL && p[0] == 0 && p[SLOT - mi_os_page_size() - 1] == 0);
    memset(p, 1, SLOT - mi_os_page_size());
    mi_free(p);
  }
  mi_register_error(NULL, NULL);
  CHECK_EQ(errors, 0);
  mi_heap_destroy(heap);
}

static void resize(void) {
  mi_heap_t* heap = heap_with(1, 0);
  for (int i = 0; i < SIZES; i++) {
    uint8_t* p = mi_heap_malloc(heap, sizes[i]);
    memset(p, 7, sizes[i]);
    CHECK_PTR(mi_realloc(p, sizes[i]), ==, p);
    size_t larger = sizes[i] + 1;
    p = mi_heap_realloc(heap, p, larger);
    CHECK(guard_of(p, larger) != NULL);
    p[sizes[i]] = 7;
    p = mi_heap_realloc(heap, p, larger - 1);
    CHECK(guard_of(p, larger - 1) != NULL);
    for (size_t k = 0; k < sizes[i]; k++) CHECK_EQ(p[k], 7);
    p = mi_heap_rezalloc(heap, p, sizes[i] * 2);
    for (size_t k = sizes[i]; k < sizes[i] * 2; k++) CHECK_EQ(p[k], 0);
    size_t block_size;
    mi_ufree(p, &block_size);
    CHECK_EQ(block_size, sizes[i] * 2);
  }
  mi_heap_destroy(heap);
}

/* A plain block that grows becomes a guarded one of the size asked for. */
static void resize_plain(void) {
  enum { SIZE = 1000, GROWN = 1100 };
  mi_heap_t* heap = mi_heap_get_default();
  mi_heap_guarded_set_sample_rate(heap, 0, 0);
  uint8_t* p = mi_malloc(SIZE);
  mi_heap_guarded_set_sample_rate(heap, 1, 1);
  p = mi_realloc(p, GROWN);
  CHECK(guard_of(p, GROWN) != NULL);
  mi_heap_guarded_set_sample_rate(heap, 0, 0);
  mi_free(p);
}

/* The heap's blocks die with it, or are freed elsewhere, and their memory is used again. */

enum { BLOCKS = 200 };
static void* blocks[BLOCKS];
static const uint8_t* guards[BLOCKS];

static void allocate(mi_heap_t* heap) {
  for (int i = 0; i < BLOCKS; i++) {
    size_t size = sizes[i % (SIZES - 2)];
    blocks[i] = mi_heap_malloc(heap, size);
    guards[i] = guard_of(blocks[i], size);
    CHECK(guards[i] != NULL);
  }
}

static void* free_all(void* arg) {
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  return arg;
}

static void* allocate_and_end(void* arg) {
  mi_heap_guarded_set_sample_rate(mi_heap_get_default(), 1, 0);
  allocate(mi_heap_get_default());
  return arg;
}

static void in_thread(void* (*fn)(void*)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
  pthread_join(thread, NULL);
}

static void all_accessible(void) {
  for (int i = 0; i < BLOCKS; i++) CHECK(accessible(guards[i]));
  heaps_check();
  memory_check();
  mi_collect(true);
  memory_check();
}

static void the_end(void) {
  mi_heap_t* heap = heap_with(1, 0);
  allocate(heap);
  mi_heap_destroy(heap);
  all_accessible();

  heap = heap_with(1, 0);
  allocate(heap);
  mi_heap_delete(heap);
  for (int i = 0; i < BLOCKS; i++) CHECK(!accessible(guards[i]));
  free_all(NULL);
  all_accessible();

  heap = heap_with(1, 0);
  allocate(heap);
  in_thread(free_all);
  all_accessible();
  CHECK_EQ(guarded_among(heap, 9000, BLOCKS, NULL), BLOCKS); /* takes what came back */
  mi_heap_destroy(heap);

  in_thread(allocate_and_end);
  for (int i = 0; i < BLOCKS; i++) CHECK(!accessible(guards[i]));
  free_all(NULL);
  all_accessible();

  in_thread(allocate_and_end);
  in_thread(free_all);
  all_accessible();
}

typedef struct seen_s {
  int blocks;
  size_t bytes;
} seen_t;

static bool
look(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area;
  seen_t* seen = arg;
  if (block == NULL) return true;
  memset(block, 3, size);
  seen->blocks++;
  seen->bytes += size;
  return true;
}

static void visit(void) {
  mi_heap_t* heap = heap_with(1, 0);
  size_t bytes = 0;
  for (int i = 0; i < SIZES; i++) {
    void* p = mi_heap_malloc(heap, sizes[i]);
    CHECK(mi_heap_contains_block(heap, p) && mi_heap_check_owned(heap, p));
    bytes += sizes[i];
  }
  seen_t seen = {0};
  CHECK(mi_heap_visit_blocks(heap, true, look, &seen));
  CHECK_EQ(seen.blocks, SIZES);
  CHECK_EQ(seen.bytes, bytes);
  mi_heap_destroy(heap);
}

/* The system does not protect: the block is an ordinary one. */
static void without_protection(void) {
  mi_heap_t* heap = heap_with(1, 0);
  mi_free(mi_heap_malloc(heap, 128)); /* there is memory already */
  mi_os_fail_from(1);
  void* p = mi_heap_malloc(heap, 128);
  mi_os_fail_from(0);
  CHECK(p != NULL && guard_of(p, 128) == NULL);
  CHECK_EQ(mi_usable_size(p), mi_good_size(128));
  mi_free(p);
  mi_heap_destroy(heap);
}

/* Every other aligned block has a guard, though small ones could be popped without a look. */
static void small_and_aligned(void) {
  enum { COUNT = 200 };
  static void* some[COUNT];
  mi_heap_t* heap = mi_heap_get_backing();
  mi_heap_guarded_set_size_bound(heap, 0, 1 << 20);
  mi_heap_guarded_set_sample_rate(heap, 2, 1);
  int guarded = 0;
  for (int i = 0; i < COUNT; i++) {
    size_t size = (size_t)i % 3 == 0 ? 100 : 32 + (size_t)i;
    size_t align = (size_t)2 << i % 5;
    some[i] = mi_malloc_aligned(size, align);
    CHECK_EQ((uintptr_t)some[i] % align, 0);
    guarded += guard_of(some[i], size) != NULL;
  }
  CHECK_EQ(guarded, COUNT / 2);
  for (int i = 0; i < COUNT; i++) mi_free(some[i]);
  mi_heap_guarded_set_sample_rate(heap, 0, 0);
}

int main(void) {
  rate_and_seed();
  small_and_aligned();
  bounds();
  options();
  where_they_end();
  no_room_for_guard();
  resize();
  resize_plain();
  the_end();
  visit();
  without_protection();
  mi_collect(true);
  memory_check();
  return 0;
}

#else

/* In other builds nothing of this has an effect. */
int main(void) {
  mi_option_set(mi_option_guarded_sample_rate, 1);
  mi_heap_t* heap = heap_with(1, 1);
  mi_heap_guarded_set_size_bound(heap, 0, 1 << 20);
  CHECK_EQ(guarded_among(heap, 4096, 100, NULL), 0);
  mi_heap_destroy(heap);
  return 0;
}

#endif
