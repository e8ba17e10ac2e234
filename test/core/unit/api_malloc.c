/* What holds for every block of mi_malloc and its kin. */
#include <pthread.h>

#include "bits.h"
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/os.h"
#include "pattern.h"
#include "resident.h"

static void zero_sized(void) {
  void* blocks[100];
  for (int i = 0; i < 100; i++) {
    blocks[i] = i % 2 == 0 ? mi_malloc(0) : mi_calloc(i % 4, 0);
    CHECK(blocks[i] != NULL);
    for (int k = 0; k < i; k++) CHECK_PTR(blocks[k], !=, blocks[i]);
  }
  for (int i = 0; i < 100; i++) mi_free(blocks[i]);
  mi_free(NULL);
}

static void sizes(void) {
  for (size_t size = 1; size <= (size_t)5 << 20; size += 1 + size / 37) {
    uint8_t* p = mi_malloc(size);
    CHECK(p != NULL);
    CHECK_EQ((uintptr_t)p % (size >= 16 ? 16 : 8), 0);
    CHECK_CMP(mi_usable_size(p), >=, size);
    CHECK_CMP(mi_usable_size(p), >=, MI_GUARDED ? size : mi_good_size(size));
    CHECK_CMP(mi_usable_size(p), <=, 2 * mi_good_size(size));
    p[0] = p[mi_usable_size(p) - 1] = 1;
    mi_free(p);
  }
  CHECK_EQ(mi_usable_size(NULL), 0);
  CHECK_EQ(mi_good_size(SIZE_MAX), SIZE_MAX);
}

#define CHECK_NO_MEMORY(call)    \
  do {                           \
    errno = 0;                   \
    CHECK_PTR((call), ==, NULL); \
    CHECK_EQ(errno, ENOMEM);     \
  } while (0)

/* Numbers that the compiler must not see. */
static volatile size_t most = PTRDIFF_MAX;
static volatile size_t half_of_all = (size_t)1 << 32;

static int reported;
static int reports;

static void on_error(int err, void* arg) {
  (void)arg;
  reported = err;
  reports++;
}

#define CHECK_REPORTS(error, call) \
  do {                             \
    reports = 0;                   \
    CHECK_NO_MEMORY(call);         \
    CHECK_EQ(reports, 1);          \
    CHECK_EQ(reported, error);     \
  } while (0)

/* What the callback is told; errno is the same for all. */
static void reports_too_large(void) {
  size_t over = most + 1;
  void* p = mi_malloc(1);
  CHECK(p != NULL);
  mi_register_error(on_error, NULL);
  CHECK_REPORTS(EOVERFLOW, mi_malloc(over));
  CHECK_REPORTS(EOVERFLOW, mi_calloc(1, over));
  CHECK_REPORTS(EOVERFLOW, mi_realloc(p, over));
  CHECK_REPORTS(EOVERFLOW, mi_malloc_aligned(over, 64));
  CHECK_REPORTS(EOVERFLOW, mi_malloc_aligned_at(over, 64, 8));
  CHECK_REPORTS(EOVERFLOW, mi_calloc(half_of_all, half_of_all));
  CHECK_REPORTS(ENOMEM, mi_malloc(most));
  CHECK_REPORTS(ENOMEM, mi_malloc_aligned(most, 4096));
  mi_register_error(NULL, NULL);
  mi_free(p);
}

static void too_large(void) {
  static const size_t over[] = {1, 2, 4096, (size_t)PTRDIFF_MAX / 2, (size_t)PTRDIFF_MAX + 1};
  for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
    size_t size = most + over[i];
    CHECK_NO_MEMORY(mi_malloc(size));
    CHECK_NO_MEMORY(mi_zalloc(size));
    CHECK_NO_MEMORY(mi_calloc(1, size));
    CHECK_NO_MEMORY(mi_malloc_aligned(size, 64));
    CHECK_NO_MEMORY(mi_malloc_aligned_at(size, 64, 8));
    CHECK_NO_MEMORY(mi_malloc_aligned(size, (size_t)1 << 30));
    CHECK_NO_MEMORY(mi_realloc(NULL, size));
    CHECK_NO_MEMORY(mi_heap_malloc(mi_heap_get_default(), size));
    CHECK_NO_MEMORY(mi_valloc(size));
    CHECK_NO_MEMORY(mi_pvalloc(size));
  }
  CHECK_NO_MEMORY(mi_malloc(most)); /* allowed, but there is no such room */
  CHECK_NO_MEMORY(mi_malloc_aligned(most, 4096));
}

static void overflow(void) {
  size_t half = half_of_all;
  mi_option_disable(mi_option_show_errors);
  void* p = mi_malloc(1);
  CHECK_NO_MEMORY(mi_calloc(half, half));
  CHECK_NO_MEMORY(mi_calloc(half + 1, half + 1));
  CHECK_NO_MEMORY(mi_mallocn(half, half));
  CHECK_NO_MEMORY(mi_reallocn(p, half, half));
  CHECK_NO_MEMORY(mi_reallocarray(p, half, half));
  CHECK_NO_MEMORY(mi_heap_calloc(mi_heap_get_default(), half, half));
  CHECK_NO_MEMORY(mi_calloc_aligned(half, half, 64));
  errno = 7;
  void* place = p;
  CHECK_EQ(mi_reallocarr(&place, half, half), ENOMEM);
  CHECK_EQ(errno, 7);
  CHECK_PTR(place, ==, p);
  CHECK_EQ(mi_reallocarr(&place, 100, 3), 0);
  CHECK_CMP(mi_usable_size(place), >=, 300);
  mi_free(place);
}

/* Of every kind of page, fresh and reused. */
static void calloc_zeroes(void) {
  static const size_t sizes[] = {1, 8, 24, 100, 1000, 5000, 20000, 60000, 300000, 2000000, 3000000};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    size_t size = sizes[i];
    size_t count = size > 100000 ? 3 : 40;
    void* blocks[40];
    for (int round = 0; round < 4; round++) {
      for (size_t k = 0; k < count; k++) {
        blocks[k] = round % 2 == 0 ? mi_calloc(1, size) : mi_zalloc(size);
        CHECK(is_all_zero(blocks[k], mi_usable_size(blocks[k])));
        memset(blocks[k], 0xAB, mi_usable_size(blocks[k]));
      }
      for (size_t k = 0; k < count; k++) mi_free(blocks[k]);
      if (round == 1) mi_collect(true);
    }
  }
  for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size += 8) {
    void* p = mi_zalloc_small(size);
    CHECK(is_all_zero(p, mi_usable_size(p)));
    mi_free(p);
    p = mi_malloc_small(size);
    CHECK_CMP(mi_usable_size(p), >=, size);
    memset(p, 0xAB, mi_usable_size(p));
    mi_free(p);
  }
}

/* Where memory was never used, a large block is not resident before the program writes to it. */
static void large_blocks_are_not_touched(void) {
  static const size_t sizes[] = {(size_t)100 << 10, (size_t)1 << 20, (size_t)3 << 20,
                                 (size_t)40 << 20};
  for (int i = 0; i < 8; i++) {
    size_t size = sizes[i / 2];
    mi_collect(true);
    uint8_t* p = i % 2 == 0 ? mi_malloc(size) : mi_calloc(1, size);
    CHECK(p != NULL);
    CHECK_EQ(resident_in(p, size), 0);
    p[0] = 1;
    mi_free(p);
  }
}

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

/* A block that another thread freed is handed out before memory that was never used. */
static void others_come_first(size_t size) {
  void* kept = mi_malloc(size);
  void* p = mi_malloc(size);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_it, p), 0);
  pthread_join(thread, NULL);
  void* q = mi_malloc(size);
  CHECK_PTR(q, ==, p);
  mi_free(q);
  mi_free(kept);
}

static void free_keeps_errno(void) {
  static const size_t sizes[] = {10, 10000, 100000, 3000000, 100000000};
  mi_option_set(mi_option_purge_delay, 0); /* so that freeing calls the system */
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    void* p = mi_malloc(sizes[i]);
    errno = 4711;
    mi_free(p);
    CHECK_EQ(errno, 4711);
  }
  errno = 4711;
  mi_free(NULL);
  CHECK_EQ(errno, 4711);
}

int main(void) {
  mi_os_forbid_large_pages(); /* these tests look at single pages */
  zero_sized();
  sizes();
  too_large();
  reports_too_large();
  overflow();
  calloc_zeroes();
  if (MI_DEBUG == 0 && !MI_GUARDED && TEST_SLOWNESS == 1) large_blocks_are_not_touched();
  if (!MI_GUARDED) {
    others_come_first(5000);
    others_come_first(20000);
  }
  free_keeps_errno();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
