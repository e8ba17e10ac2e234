/* A long random sequence of every operation by one thread, against a model of what must be alive.
   MIHEAP_TEST_STEPS: how long. */
#include "random.h"
#include "memory.h"
#include "os/rare.h"
#include "pattern.h"

enum { BLOCKS = 600, HEAPS = 4, STEPS = 60000 };

typedef struct model_s {
  unsigned char* p; /* NULL: no block */
  size_t size;
  uint64_t seed;
  int heap; /* index in `heaps`; -1: the backing heap */
} model_t;

static random_t rng;
static model_t blocks[BLOCKS];
static mi_heap_t* heaps[HEAPS];
static size_t focus; /* around which half of the sizes lie; 0: none */

static bool plain; /* no block is aligned: some ways are taken only where none in a page is */

static size_t some_size(void) {
  if (focus == 0 || random_one_in(&rng, 2)) return random_size(&rng);
  return focus / 2 + random_below(&rng, focus);
}

static void verify(const model_t* b) { CHECK(pattern_holds(b->p, b->size, b->seed)); }

static void write_pattern(model_t* b) {
  b->seed = random_next(&rng);
  pattern_fill(b->p, b->size, b->seed);
}

static bool is_aligned_at(const void* p, size_t align, size_t offset) {
  return ((uintptr_t)p + offset) % align == 0;
}

static size_t random_align(void) {
  return (size_t)1 << random_below(&rng, random_one_in(&rng, 50) ? 24 : 13);
}

static size_t natural_align(size_t size) { return size >= 16 ? 16 : 8; }

/* Only where the system is made to fail may an allocation. */
static bool failed(const void* p) {
  if (p != NULL) return false;
  CHECK_EQ(errno, ENOMEM);
  CHECK_CMP(mi_rare_get(mi_rare_os_fail), >, 0);
  return true;
}

static void allocate(model_t* b) {
  int h = (int)random_below(&rng, HEAPS * 2) - HEAPS;
  if (h < 0 || heaps[h] == NULL) h = -1;
  mi_heap_t* heap = h < 0 ? mi_heap_get_backing() : heaps[h];
  size_t size = some_size();
  size_t align = random_align();
  size_t offset = random_one_in(&rng, 3) ? random_below(&rng, size + 1) : 0;
  bool zero = false;
  bool at_offset = false;
  *b = (model_t){.size = size, .heap = h};
  switch (random_below(&rng, plain ? 3 : 9)) {
  case 0:
    b->p = h < 0 ? mi_malloc(size) : mi_heap_malloc(heap, size);
    align = natural_align(size);
    break;
  case 1:
    b->p = h < 0 ? mi_calloc(size, 1) : mi_heap_calloc(heap, 1, size);
    align = natural_align(size);
    zero = true;
    break;
  case 2:
    b->p = h < 0 ? mi_zalloc(size) : mi_heap_zalloc(heap, size);
    align = natural_align(size);
    zero = true;
    break;
  case 3: b->p = mi_heap_malloc_aligned(heap, size, align); break;
  case 4:
    b->p = mi_heap_zalloc_aligned(heap, size, align);
    zero = true;
    break;
  case 5:
    b->p = mi_heap_malloc_aligned_at(heap, size, align, offset);
    at_offset = true;
    break;
  case 6:
    b->p = mi_heap_zalloc_aligned_at(heap, size, align, offset);
    at_offset = true;
    zero = true;
    break;
  case 7:
    b->p = mi_heap_realloc(heap, NULL, size);
    align = natural_align(size);
    break;
  default:
    b->size = size % (MI_SMALL_SIZE_MAX + 1);
    b->p = mi_heap_malloc_small(heap, b->size);
    align = natural_align(b->size);
    break;
  }
  if (failed(b->p)) return;
  CHECK(is_aligned_at(b->p, align, at_offset ? offset : 0));
  CHECK_CMP(mi_usable_size(b->p), >=, b->size);
  if (zero) CHECK(is_all_zero(b->p, b->size));
  write_pattern(b);
}

static void resize(model_t* b) {
  size_t size = some_size();
  size_t align = !plain && random_one_in(&rng, 4) ? random_align() : 1;
  mi_heap_t* heap = b->heap < 0 ? mi_heap_get_backing() : heaps[b->heap];
  verify(b);
  if (random_one_in(&rng, 8)) {
    size_t usable = mi_usable_size(b->p);
    CHECK_PTR(mi_expand(b->p, usable), ==, b->p);
    CHECK_PTR(mi_expand(b->p, usable + 1), ==, NULL);
    b->size = usable;
    write_pattern(b);
    return;
  }
  unsigned char* p;
  if (align > 1) {
    p = mi_heap_realloc_aligned(heap, b->p, size, align);
  } else if (b->heap >= 0 || random_one_in(&rng, 2)) {
    p = mi_heap_realloc(heap, b->p, size);
  } else {
    p = mi_realloc(b->p, size);
  }
  if (failed(p)) {
    verify(b);
    return;
  }
  b->p = p;
  CHECK(is_aligned_at(b->p, align, 0));
  CHECK_CMP(mi_usable_size(b->p), >=, size);
  CHECK(pattern_holds_prefix(b->p, size < b->size ? size : b->size, b->size, b->seed));
  b->size = size;
  write_pattern(b);
}

static void release(model_t* b) {
  verify(b);
  mi_free(b->p);
  b->p = NULL;
}

static void change_heap(void) {
  /* With a heap of its own a thread abandons nothing: so there is one half of the time only. */
  int h = mi_rare_get(mi_rare_abandon) != 0 ? 0 : (int)random_below(&rng, HEAPS);
  if (heaps[h] == NULL) {
    heaps[h] = mi_heap_new();
    (void)failed(heaps[h]);
    return;
  }
  bool destroy = random_one_in(&rng, 2);
  if (destroy) {
    mi_heap_destroy(heaps[h]);
  } else {
    mi_heap_delete(heaps[h]);
  }
  heaps[h] = NULL;
  for (int i = 0; i < BLOCKS; i++) {
    if (blocks[i].p == NULL || blocks[i].heap != h) continue;
    if (destroy) {
      blocks[i].p = NULL;
    } else {
      blocks[i].heap = -1;
    }
  }
}

static void step(void) {
  model_t* b = &blocks[random_below(&rng, BLOCKS)];
  size_t kind = random_below(&rng, 1000);
  if (focus != 0 && random_one_in(&rng, 20)) {
    mi_collect(false);
  } else if (kind < 1) {
    mi_collect(random_one_in(&rng, 2));
  } else if (kind < 3) {
    mi_heap_collect(mi_heap_get_backing(), random_one_in(&rng, 2));
  } else if (kind < 10) {
    change_heap();
  } else if (b->p == NULL) {
    allocate(b);
  } else if (kind < 300) {
    resize(b);
  } else {
    release(b);
  }
}

int main(void) {
  rng.state = test_seed();
  /* The backing heap is there before the system fails. */
  unsigned long os_fail = mi_rare_get(mi_rare_os_fail);
  mi_rare_set(mi_rare_os_fail, 0);
  mi_thread_init();
  mi_rare_set(mi_rare_os_fail, os_fail);
  /* Some runs give memory back at once, so that it comes and goes all the time. */
  if (random_one_in(&rng, 2)) mi_option_set(mi_option_purge_delay, 0);
  if (random_one_in(&rng, 4)) mi_option_set(mi_option_purge_decommits, 0);
  plain = random_one_in(&rng, 2);
  if (random_one_in(&rng, 2)) focus = (size_t)1 << (11 + random_below(&rng, 7));
  uint64_t steps =
      test_number("MIHEAP_TEST_STEPS", STEPS / TEST_SLOWNESS / (TEST_VARIANT_CHECKED ? 4 : 1));
  for (uint64_t i = 0; i < steps; i++) {
    step();
    if (TEST_VARIANT_CHECKED || i % 64 == 0) heaps_check();
    if (i % 512 == 0) memory_check();
  }
  for (int h = 0; h < HEAPS; h++) {
    if (heaps[h] != NULL) mi_heap_delete(heaps[h]);
  }
  for (int i = 0; i < BLOCKS; i++) {
    if (blocks[i].p != NULL) release(&blocks[i]);
  }
  mi_rare_set(mi_rare_os_fail, 0);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().huge, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
