/* Every function that allocates, given what cannot be: it returns NULL, errno says why, the error
   function hears once of what there is no memory for, and the block that was to be resized is as it
   was. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"

/* One call for each function. Those that do not take an argument do without. */
typedef void*
call_t(mi_heap_t* heap, void* p, size_t count, size_t size, size_t align, size_t offset);
#define CALL(name, call)                                                               \
  static void* name(mi_heap_t* heap, void* p, size_t count, size_t size, size_t align, \
                    size_t offset) {                                                   \
    (void)heap, (void)p, (void)count, (void)size, (void)align, (void)offset;           \
    return call;                                                                       \
  }

CALL(malloc_, mi_malloc(size))
CALL(zalloc_, mi_zalloc(size))
CALL(umalloc_, mi_umalloc(size, NULL))
CALL(valloc_, mi_valloc(size))
CALL(pvalloc_, mi_pvalloc(size))
CALL(new_nothrow_, mi_new_nothrow(size))
CALL(heap_malloc_, mi_heap_malloc(heap, size))
CALL(heap_zalloc_, mi_heap_zalloc(heap, size))
CALL(realloc_, mi_realloc(p, size))
CALL(rezalloc_, mi_rezalloc(p, size))
CALL(urealloc_, mi_urealloc(p, size, NULL, NULL))
CALL(heap_realloc_, mi_heap_realloc(heap, p, size))
CALL(heap_rezalloc_, mi_heap_rezalloc(heap, p, size))
static call_t* const by_size[] = {malloc_,      zalloc_,       umalloc_,      valloc_,  pvalloc_,
                                  new_nothrow_, heap_malloc_,  heap_zalloc_,  realloc_, rezalloc_,
                                  urealloc_,    heap_realloc_, heap_rezalloc_};

CALL(calloc_, mi_calloc(count, size))
CALL(mallocn_, mi_mallocn(count, size))
CALL(ucalloc_, mi_ucalloc(count, size, NULL))
CALL(heap_calloc_, mi_heap_calloc(heap, count, size))
CALL(heap_mallocn_, mi_heap_mallocn(heap, count, size))
CALL(reallocn_, mi_reallocn(p, count, size))
CALL(reallocarray_, mi_reallocarray(p, count, size))
CALL(recalloc_, mi_recalloc(p, count, size))
CALL(heap_reallocn_, mi_heap_reallocn(heap, p, count, size))
CALL(heap_recalloc_, mi_heap_recalloc(heap, p, count, size))
static call_t* const by_count[] = {calloc_,        mallocn_,      ucalloc_,      heap_calloc_,
                                   heap_mallocn_,  reallocn_,     reallocarray_, recalloc_,
                                   heap_reallocn_, heap_recalloc_};

CALL(malloc_aligned, mi_malloc_aligned(size, align))
CALL(malloc_aligned_at, mi_malloc_aligned_at(size, align, offset))
CALL(zalloc_aligned, mi_zalloc_aligned(size, align))
CALL(zalloc_aligned_at, mi_zalloc_aligned_at(size, align, offset))
CALL(umalloc_aligned, mi_umalloc_aligned(size, align, NULL))
CALL(uzalloc_aligned, mi_uzalloc_aligned(size, align, NULL))
CALL(memalign_, mi_memalign(align, size))
CALL(aligned_alloc_, mi_aligned_alloc(align, size))
CALL(new_aligned_nothrow, mi_new_aligned_nothrow(size, align))
CALL(heap_malloc_aligned, mi_heap_malloc_aligned(heap, size, align))
CALL(heap_malloc_aligned_at, mi_heap_malloc_aligned_at(heap, size, align, offset))
CALL(heap_zalloc_aligned, mi_heap_zalloc_aligned(heap, size, align))
CALL(heap_zalloc_aligned_at, mi_heap_zalloc_aligned_at(heap, size, align, offset))
CALL(realloc_aligned, mi_realloc_aligned(p, size, align))
CALL(realloc_aligned_at, mi_realloc_aligned_at(p, size, align, offset))
CALL(rezalloc_aligned, mi_rezalloc_aligned(p, size, align))
CALL(rezalloc_aligned_at, mi_rezalloc_aligned_at(p, size, align, offset))
CALL(heap_realloc_aligned, mi_heap_realloc_aligned(heap, p, size, align))
CALL(heap_realloc_aligned_at, mi_heap_realloc_aligned_at(heap, p, size, align, offset))
CALL(heap_rezalloc_aligned, mi_heap_rezalloc_aligned(heap, p, size, align))
CALL(heap_rezalloc_aligned_at, mi_heap_rezalloc_aligned_at(heap, p, size, align, offset))
static call_t* const by_align[] = {
    malloc_aligned,
    malloc_aligned_at,
    zalloc_aligned,
    zalloc_aligned_at,
    umalloc_aligned,
    uzalloc_aligned,
    memalign_,
    aligned_alloc_,
    new_aligned_nothrow,
    heap_malloc_aligned,
    heap_malloc_aligned_at,
    heap_zalloc_aligned,
    heap_zalloc_aligned_at,
    realloc_aligned,
    realloc_aligned_at,
    rezalloc_aligned,
    rezalloc_aligned_at,
    heap_realloc_aligned,
    heap_realloc_aligned_at,
    heap_rezalloc_aligned,
    heap_rezalloc_aligned_at,
};

CALL(calloc_aligned, mi_calloc_aligned(count, size, align))
CALL(calloc_aligned_at, mi_calloc_aligned_at(count, size, align, offset))
CALL(heap_calloc_aligned, mi_heap_calloc_aligned(heap, count, size, align))
CALL(heap_calloc_aligned_at, mi_heap_calloc_aligned_at(heap, count, size, align, offset))
CALL(recalloc_aligned, mi_recalloc_aligned(p, count, size, align))
CALL(recalloc_aligned_at, mi_recalloc_aligned_at(p, count, size, align, offset))
CALL(heap_recalloc_aligned, mi_heap_recalloc_aligned(heap, p, count, size, align))
CALL(heap_recalloc_aligned_at, mi_heap_recalloc_aligned_at(heap, p, count, size, align, offset))
CALL(aligned_recalloc, mi_aligned_recalloc(p, count, size, align))
CALL(aligned_offset_recalloc, mi_aligned_offset_recalloc(p, count, size, align, offset))
static call_t* const by_count_and_align[] = {
    calloc_aligned,   calloc_aligned_at,       heap_calloc_aligned,   heap_calloc_aligned_at,
    recalloc_aligned, recalloc_aligned_at,     heap_recalloc_aligned, heap_recalloc_aligned_at,
    aligned_recalloc, aligned_offset_recalloc,
};

#define EACH(calls, ...)                                            \
  for (size_t i = 0; i < sizeof(calls) / sizeof((calls)[0]); i++) { \
    refuses((calls)[i], #calls, i, __VA_ARGS__);                    \
  }

enum { OLD_SIZE = 1000 };
static mi_heap_t* heap;
static void* old; /* the block that is to be resized */
static int told;  /* calls of the error function for want of memory */

static void count_told(int error, void* arg) {
  (void)arg;
  if (error == ENOMEM || error == EOVERFLOW) told++;
}

static void refuses(call_t* call, const char* kind, size_t which, int expected, size_t count,
                    size_t size, size_t align, size_t offset) {
  errno = 0;
  told = 0;
  void* p = call(heap, old, count, size, align, offset);
  if (p != NULL || errno != expected || told != (expected == ENOMEM)) {
    fprintf(stderr,
            "%s %zu: count %zx, size %zx, align %zx, offset %zx: %p, errno %d, told %d times\n",
            kind, which, count, size, align, offset, p, errno, told);
    abort();
  }
  CHECK(pattern_holds(old, OLD_SIZE, 1));
}

/* There is a page of the smallest class with free blocks, which a size that overflows to 0 would be given one of. */
static void have_small_blocks(void) {
  void* small[20];
  for (int i = 0; i < 20; i++) small[i] = mi_malloc(8);
  for (int i = 0; i < 20; i++) mi_free(small[i]);
}

static void too_large(void) {
  static const size_t bad[] = {
      SIZE_MAX,         SIZE_MAX - 1,    SIZE_MAX - 3,
      SIZE_MAX - 15,    SIZE_MAX - 4095, SIZE_MAX - ((size_t)4 << 20),
      SIZE_MAX / 2 + 2,              /* the least that is negative */
      SIZE_MAX / 2 + 1, PTRDIFF_MAX, /* allowed, but there is no such room */
      PTRDIFF_MAX - 100};
  for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
    EACH(by_size, ENOMEM, 0, bad[k], 0, 0);
    EACH(by_count, ENOMEM, 1, bad[k], 0, 0);
    EACH(by_count, ENOMEM, bad[k], 1, 0, 0);
    for (size_t align = 1; align <= MI_ALIGNMENT_MAX; align *= 32) {
      EACH(by_align, ENOMEM, 0, bad[k], align, 0);
      EACH(by_align, ENOMEM, 0, bad[k], align, 8);
      EACH(by_align, ENOMEM, 0, bad[k], align, SIZE_MAX);
      EACH(by_count_and_align, ENOMEM, 1, bad[k], align, 24);
    }
  }
}

static void overflow(void) {
  static const size_t bad[][2] = {{SIZE_MAX, 2},
                                  {2, SIZE_MAX},
                                  {SIZE_MAX / 2 + 1, 2},
                                  {(size_t)1 << 32, (size_t)1 << 32},
                                  {((size_t)1 << 32) + 1, ((size_t)1 << 32) + 1},
                                  {SIZE_MAX / 8 + 1, 8}};
  for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
    EACH(by_count, ENOMEM, bad[k][0], bad[k][1], 0, 0);
    EACH(by_count_and_align, ENOMEM, bad[k][0], bad[k][1], 64, 8);
  }
}

static void bad_alignments(void) {
  static const size_t bad[] = {0, 3, 6, 24, 48, 100, 4095, 4097, SIZE_MAX, SIZE_MAX / 2};
  static const size_t sizes[] = {0, 100, OLD_SIZE, 100000, 5000000, SIZE_MAX};
  for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
      EACH(by_align, EINVAL, 0, sizes[s], bad[k], 0);
      EACH(by_align, EINVAL, 0, sizes[s], bad[k], 8);
      EACH(by_count_and_align, EINVAL, 1, sizes[s], bad[k], 8);
      EACH(by_count_and_align, EINVAL, 16, sizes[s], bad[k], 8);
    }
  }
  /* Powers of two for which there are no addresses. */
  for (size_t align = (size_t)1 << 48; align != 0; align *= 2) {
    EACH(by_align, ENOMEM, 0, 3000, align, 0);
    EACH(by_align, ENOMEM, 0, 3000, align, 8);
    EACH(by_count_and_align, ENOMEM, 3, 1000, align, 8);
  }
}

int main(void) {
  mi_option_disable(mi_option_show_errors); /* of counts that overflow */
  mi_register_error(count_told, NULL);
  heap = mi_heap_new();
  old = mi_malloc(OLD_SIZE);
  pattern_fill(old, OLD_SIZE, 1);
  have_small_blocks();
  too_large();
  overflow();
  bad_alignments();
  mi_free(old);
  mi_heap_destroy(heap);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
