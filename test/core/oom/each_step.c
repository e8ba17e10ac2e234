/* Each operation with the system failing from its n-th call on, for n = 1, 2, … until the operation succeeds.
   A failure is NULL with ENOMEM, changes nothing, and loses nothing. A success leaves errno alone. */
#include <pthread.h>

#include "check.h"
#include "heap/heap.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)
enum { MARK = 7, MOST_STEPS = 100, SIZES = TEST_SLOWNESS == 1 ? 9 : 8 };

/* The last one is too large for the cache of mappings. */
static const size_t sizes[] = {1, 100, 5000, 20000, 50000, 500000, 2 * MIB, 3 * MIB, 40 * MIB};

/* Returns true if it succeeded, and has then undone what it did. */
typedef bool operation_t(size_t size);

static bool done(void* p) {
  if (p == NULL) CHECK_EQ(errno, ENOMEM);
  mi_free(p);
  return p != NULL;
}

static bool op_malloc(size_t size) { return done(mi_malloc(size)); }
static bool op_zalloc(size_t size) { return done(mi_zalloc(size)); }
static bool op_calloc(size_t size) { return done(mi_calloc(size, 1)); }
static bool op_aligned(size_t size) { return done(mi_malloc_aligned(size, 1 << 12)); }
static bool op_aligned_at(size_t size) { return done(mi_malloc_aligned_at(size, 1 << 16, 24)); }
static bool op_very_aligned(size_t size) { return done(mi_zalloc_aligned(size, 16 * MIB)); }
static bool op_realloc_null(size_t size) { return done(mi_realloc(NULL, size)); }
static bool op_new_nothrow(size_t size) { return done(mi_new_nothrow(size)); }

static bool op_posix(size_t size) {
  char mark;
  void* p = &mark;
  int error = mi_posix_memalign(&p, 256, size);
  CHECK_EQ(errno, MARK);
  if (error != 0) {
    CHECK_EQ(error, ENOMEM);
    CHECK_PTR(p, ==, &mark);
    return false;
  }
  mi_free(p);
  return true;
}

static bool op_heap(size_t size) {
  mi_heap_t* heap = mi_heap_new();
  if (heap == NULL) {
    CHECK_EQ(errno, ENOMEM);
    return false;
  }
  void* p = mi_heap_malloc(heap, size);
  if (p == NULL) CHECK_EQ(errno, ENOMEM);
  CHECK(mi_heap_is_valid(heap));
  mi_heap_destroy(heap);
  return p != NULL;
}

static bool op_heap_delete(size_t size) {
  mi_heap_t* heap = mi_heap_new();
  if (heap == NULL) return false;
  void* p = mi_heap_zalloc(heap, size);
  mi_heap_delete(heap);
  return done(p);
}

/* Of a large block, the first and the last part are written and looked at again. */
static size_t part(size_t size) { return size < MIB ? size : MIB / 2; }

static void fill(uint8_t* block, size_t size, uint64_t seed) {
  pattern_fill(block, part(size), seed);
  if (size >= MIB) pattern_fill(block + size - part(size), part(size), seed + 1);
}

static bool holds(const uint8_t* block, size_t size, uint64_t seed) {
  return pattern_holds(block, part(size), seed) &&
         (size < MIB || pattern_holds(block + size - part(size), part(size), seed + 1));
}

/* Several, so that pages and segments of their own are needed. */
static bool op_many(size_t size) {
  void* blocks[200];
  size_t count = size > MIB ? 3 : size > MI_MEDIUM_BLOCK_MAX ? 20 : 200;
  size_t n = 0;
  while (n < count && (blocks[n] = mi_malloc(size)) != NULL) n++;
  bool all = n == count;
  if (!all) CHECK_EQ(errno, ENOMEM);
  for (size_t i = 0; i < n; i++) fill(blocks[i], size, i);
  for (size_t i = 0; i < n; i++) CHECK(holds(blocks[i], size, i));
  while (n > 0) mi_free(blocks[--n]);
  return all;
}

static void* reallocated; /* of `size` / 2 bytes, made before the failures begin */

static void make_reallocated(size_t size) {
  reallocated = mi_malloc(size / 2);
  fill(reallocated, size / 2, size);
}

/* `p` is what it was made to be of `size` bytes, or NULL. */
static bool was_reallocated(void* p, size_t size) {
  if (p == NULL) CHECK_EQ(errno, ENOMEM);
  if (p != NULL) reallocated = p;
  CHECK(holds(reallocated, size / 2, size));
  return p != NULL;
}

static bool op_realloc(size_t size) { return was_reallocated(mi_realloc(reallocated, size), size); }
static bool op_realloc_aligned(size_t size) {
  return was_reallocated(mi_realloc_aligned(reallocated, size, 1 << 14), size);
}

typedef struct in_thread_s {
  size_t size;
  bool succeeded;
} in_thread_t;

static void* thread(void* arg) {
  in_thread_t* in = arg;
  errno = MARK;
  in->succeeded = op_malloc(in->size);
  return NULL;
}

/* A thread that may not even get a heap. */
static bool op_in_thread(size_t size) {
  in_thread_t in = {size, false};
  pthread_t id;
  CHECK_EQ(pthread_create(&id, NULL, thread, &in), 0);
  pthread_join(id, NULL);
  return in.succeeded;
}

static bool op_strdup(size_t size) {
  (void)size;
  return done(mi_strdup("abc"));
}

static void expect_baseline(const char* name, size_t size, memory_t before) {
  mi_collect(true);
  memory_check();
  memory_t after = memory_gauges();
  if (memcmp(&before, &after, sizeof(before)) != 0) {
    fprintf(stderr, "%s of %zu bytes changed the gauges\n", name, size);
  }
  CHECK_EQ(after.committed, before.committed);
  CHECK_EQ(after.reserved, before.reserved);
  CHECK_EQ(after.segments, before.segments);
  CHECK_EQ(after.huge, before.huge);
  CHECK_EQ(after.abandoned, before.abandoned);
  CHECK_EQ(after.threads, before.threads);
}

/* Returns the step at which it succeeded. */
static unsigned long each_step(const char* name, operation_t* op, size_t size) {
  bool with_block = op == op_realloc || op == op_realloc_aligned;
  /* The first time, tables and chunks come into being that stay. */
  for (int warm = 0; warm < 2; warm++) {
    if (with_block) make_reallocated(size);
    errno = MARK;
    CHECK(op(size));
    if (with_block) mi_free(reallocated);
    mi_collect(true);
  }
  memory_t before = memory_gauges();
  for (unsigned long n = 1; n < MOST_STEPS; n++) {
    if (with_block) make_reallocated(size);
    mi_os_fail_from(n);
    errno = MARK;
    bool ok = op(size);
    if (ok) CHECK_EQ(errno, MARK); /* whatever failed on the way */
    mi_os_fail_from(0);
    if (with_block) mi_free(reallocated);
    expect_baseline(name, size, before);
    if (ok) return n;
  }
  fprintf(stderr, "%s of %zu bytes never succeeded\n", name, size);
  abort();
}

int main(void) {
  static const struct {
    const char* name;
    operation_t* op;
  } operations[] = {
      {"malloc", op_malloc},
      {"zalloc", op_zalloc},
      {"calloc", op_calloc},
      {"aligned", op_aligned},
      {"aligned_at", op_aligned_at},
      {"very_aligned", op_very_aligned},
      {"realloc_null", op_realloc_null},
      {"new_nothrow", op_new_nothrow},
      {"posix_memalign", op_posix},
      {"heap", op_heap},
      {"heap_delete", op_heap_delete},
      {"many", op_many},
      {"realloc", op_realloc},
      {"realloc_aligned", op_realloc_aligned},
      {"in_thread", op_in_thread},
      {"strdup", op_strdup},
  };
  unsigned long failures = 0;
  mi_thread_init();
  for (int delay = 0; delay < 2; delay++) {
    mi_option_set(mi_option_purge_delay, delay * 1000);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
      for (int s = 0; s < SIZES; s++) {
        failures += each_step(operations[i].name, operations[i].op, sizes[s]) - 1;
      }
    }
  }
  printf("%lu failures survived\n", failures);
  CHECK_CMP(failures, >, 100);
  return 0;
}
