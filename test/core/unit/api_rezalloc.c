/* What a block gains by zero-realloc is zero: after growing, after shrinking and growing again,
   in place, moved, remapped, at an alignment, in a heap of its own. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/rare.h"
#include "pattern.h"
#include "random.h"

#define MIB ((size_t)1 << 20)
enum { STEPS = 60 };

typedef struct form_s {
  const char* name;
  size_t align;
  size_t offset;
  void* (*resize)(mi_heap_t* heap, void* p, size_t size, size_t align, size_t offset);
} form_t;

/* Each of the functions, in one shape. The sizes are multiples of 8. */
#define FORM(name, call)                                                                  \
  static void* name(mi_heap_t* heap, void* p, size_t size, size_t align, size_t offset) { \
    (void)heap, (void)align, (void)offset;                                                \
    return call;                                                                          \
  }
FORM(rezalloc, mi_rezalloc(p, size))
FORM(recalloc, mi_recalloc(p, size / 8, 8))
FORM(rezalloc_aligned, mi_rezalloc_aligned(p, size, align))
FORM(recalloc_aligned, mi_recalloc_aligned(p, 8, size / 8, align))
FORM(rezalloc_aligned_at, mi_rezalloc_aligned_at(p, size, align, offset))
FORM(recalloc_aligned_at, mi_recalloc_aligned_at(p, size, 1, align, offset))
FORM(heap_rezalloc, mi_heap_rezalloc(heap, p, size))
FORM(heap_recalloc, mi_heap_recalloc(heap, p, size / 8, 8))
FORM(heap_rezalloc_aligned, mi_heap_rezalloc_aligned(heap, p, size, align))
FORM(heap_recalloc_aligned, mi_heap_recalloc_aligned(heap, p, size / 8, 8, align))
FORM(heap_rezalloc_aligned_at, mi_heap_rezalloc_aligned_at(heap, p, size, align, offset))
FORM(heap_recalloc_aligned_at, mi_heap_recalloc_aligned_at(heap, p, 1, size, align, offset))
FORM(aligned_recalloc, mi_aligned_recalloc(p, size / 8, 8, align))
FORM(aligned_offset_recalloc, mi_aligned_offset_recalloc(p, size / 8, 8, align, offset))

static const form_t forms[] = {
    {"rezalloc", 1, 0, rezalloc},
    {"recalloc", 1, 0, recalloc},
    {"rezalloc_aligned", 64, 0, rezalloc_aligned},
    {"rezalloc_aligned, huge", 16 * MIB, 0, rezalloc_aligned},
    {"recalloc_aligned", 4096, 0, recalloc_aligned},
    {"rezalloc_aligned_at", 128, 8, rezalloc_aligned_at},
    {"rezalloc_aligned_at, huge", 2 * MIB, 40, rezalloc_aligned_at},
    {"recalloc_aligned_at", 256, 5000, recalloc_aligned_at},
    {"heap_rezalloc", 1, 0, heap_rezalloc},
    {"heap_recalloc", 1, 0, heap_recalloc},
    {"heap_rezalloc_aligned", 512, 0, heap_rezalloc_aligned},
    {"heap_recalloc_aligned", 32, 0, heap_recalloc_aligned},
    {"heap_rezalloc_aligned_at", 1024, 16, heap_rezalloc_aligned_at},
    {"heap_recalloc_aligned_at", 64, 24, heap_recalloc_aligned_at},
    {"aligned_recalloc", 64, 0, aligned_recalloc},
    {"aligned_offset_recalloc", 64, 56, aligned_offset_recalloc},
};

static size_t multiple_of_8(size_t size) { return (size + 7) / 8 * 8; }

/* From a few bytes over every kind of page to huge. */
static size_t any_size(random_t* r) {
  static const size_t most[] = {100, 1000, 8000, 60000, 500000, 2 * MIB, 5 * MIB};
  return multiple_of_8(1 + random_below(r, most[random_below(r, 7)]));
}

/* Somewhat more or less than before: most of these stay in place. */
static size_t near_size(random_t* r, size_t size) {
  size_t change = random_below(r, size / 3 + 64);
  return multiple_of_8(random_below(r, 2) == 0 ? size + change
                                               : size - (change < size ? change : 0));
}

/* Dirties free memory, so that nothing is zero by luck. */
static void soil(void) {
  void* blocks[8];
  static const size_t sizes[8] = {64, 500, 4000, 30000, 100000, MIB, 3 * MIB, 5 * MIB};
  for (int i = 0; i < 8; i++) {
    blocks[i] = mi_malloc(sizes[i]);
    memset(blocks[i], 0xA5, mi_usable_size(blocks[i]));
  }
  for (int i = 0; i < 8; i++) mi_free(blocks[i]);
}

static void walk(const form_t* form, uint64_t seed) {
  random_t r = {seed};
  mi_heap_t* heap = mi_heap_new();
  uint8_t* p = NULL;
  size_t size = 0;
  for (int step = 0; step < STEPS; step++) {
    size_t next = random_below(&r, 3) > 0 && size > 0 ? near_size(&r, size) : any_size(&r);
    if (step % 10 == 0) soil();
    uint8_t* q = form->resize(heap, p, next, form->align, form->offset);
    CHECK(q != NULL);
    CHECK_EQ(((uintptr_t)q + form->offset) % form->align, 0);
    CHECK_CMP(mi_usable_size(q), >=, next);
    size_t kept = next < size ? next : size;
    if (size > 0 && !pattern_holds_prefix(q, kept, size, (uint64_t)step)) {
      fprintf(stderr, "%s, seed %" PRIu64 ", step %d\n", form->name, seed, step);
      abort();
    }
    if (!is_all_zero(q + kept, next - kept)) {
      fprintf(stderr, "%s, seed %" PRIu64 ", step %d: %zu to %zu bytes: not zero\n", form->name,
              seed, step, size, next);
      abort();
    }
    p = q;
    size = next;
    memset(p, 0xFF, size); /* the pattern leaves most of a large block as it is */
    pattern_fill(p, size, (uint64_t)step + 1);
  }
  mi_free(p);
  mi_heap_delete(heap);
}

/* Nothing of what a huge block once held comes back, not even from the end of its mapping, which
   is kept when the block shrinks a little; and new memory is not touched to make it zero. */
static void huge(void) {
  size_t size = 32 * MIB;
  uint8_t* p = mi_zalloc(size);
  memset(p, 0xEE, size);
  p = mi_rezalloc(p, 30 * MIB + 5);
  p = mi_rezalloc(p, 32 * MIB);
  CHECK_EQ(p[30 * MIB + 4], 0xEE);
  CHECK(is_all_zero(p + 30 * MIB + 5, 2 * MIB - 5));
  memset(p, 0xEE, size);
  p = mi_rezalloc(p, 8 * MIB + 1);
  size_t before = memory_resident();
  void* blocker = mi_malloc(3 * MIB); /* may sit where the block could grow */
  p = mi_rezalloc(p, 256 * MIB);
  if (TEST_SLOWNESS == 1 && !MI_GUARDED) CHECK_CMP(memory_resident(), <, before + 8 * MIB);
  CHECK_EQ(p[8 * MIB], 0xEE);
  CHECK(is_all_zero(p + 8 * MIB + 1, 248 * MIB - 1));
  mi_free(p);
  mi_free(blocker);
}

/* A failure leaves the block alone; then it can still shrink, and grow with zeros. */
static void failing(size_t size) {
  uint8_t* p = mi_zalloc(size);
  size_t usable = mi_usable_size(p);
  memset(p, 0xEE, size);
  mi_os_fail_from(1);
  errno = 0;
  CHECK_PTR(mi_rezalloc(p, 700 * MIB), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  volatile size_t most = SIZE_MAX / 2;
  CHECK_PTR(mi_recalloc(p, most, 3), ==, NULL);
  uint8_t* q = mi_rezalloc(p, size / 8);
  mi_os_fail_from(0);
  CHECK(q != NULL);
  q = mi_rezalloc(q, usable);
  for (size_t i = 0; i < size / 8; i++) CHECK_EQ(q[i], 0xEE);
  CHECK(is_all_zero(q + size / 8, usable - size / 8));
  mi_free(q);
}

int main(void) {
  mi_option_disable(mi_option_show_errors); /* of counts that overflow */
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    for (uint64_t seed = 1; seed <= 2; seed++) walk(&forms[i], seed * 1000 + i);
  }
  huge();
  failing(1000);
  failing(100000);
  failing(3 * MIB);
  mi_collect(true);
  memory_check();
  return 0;
}
