/* Visiting a heap: exactly its live blocks, whatever was freed by whom, and whatever the visitor
   does. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "random.h"
#include "segment/segment.h"
#include "shadow.h"

static shadow_t shadow;

static void visit(mi_heap_t* heap) {
  shadow_restart(&shadow);
  shadow.heap = heap;
  shadow.tag = 0;
  CHECK(mi_heap_visit_blocks(heap, true, shadow_show, &shadow));
  shadow_check(&shadow);
  heaps_check();
}

static void start(mi_heap_t* heap) {
  memset(&shadow, 0, sizeof(shadow));
  shadow.heap = heap;
}

static void free_at(size_t i) {
  mi_free(shadow.blocks[i].p);
  shadow.blocks[i].p = NULL;
}

static void* free_every_third(void* arg) {
  size_t from = *(size_t*)arg;
  for (size_t i = from; i < shadow.count; i += 3) free_at(i);
  return NULL;
}

static void run(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  pthread_join(thread, NULL);
}

/* Blocks of one size: none, a full page and more, every third freed here, every third there. */
static void one_size(size_t size, size_t count) {
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  visit(heap);
  CHECK_EQ(shadow.areas, 0);
  for (size_t i = 0; i < count; i++) shadow_add(&shadow, mi_heap_malloc(heap, size), size);
  visit(heap);
  size_t first = 0;
  run(free_every_third, &first);
  visit(heap);
  first = 1;
  free_every_third(&first);
  visit(heap);
  mi_heap_collect(heap, false);
  visit(heap);
  /* Some memory is in use again. */
  for (size_t i = 0; i < count / 2; i++) shadow_add(&shadow, mi_heap_malloc(heap, size), size);
  visit(heap);
  /* Areas only. */
  size_t areas = shadow.areas;
  shadow_restart(&shadow);
  CHECK(mi_heap_visit_blocks(heap, false, shadow_show, &shadow));
  CHECK_EQ(shadow.areas, areas);
  CHECK_EQ(shadow.areas, heap->page_count);
  CHECK_EQ(shadow.used, shadow_live(&shadow));
  CHECK_EQ(shadow.shown, 0);
  mi_heap_destroy(heap);
}

/* An address inside of a block, of each kind. */
static void aligned(void) {
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  static const size_t sizes[] = {24, 1000, 20000, 300000, 5000000};
  for (size_t i = 0; i < 5; i++) {
    for (int k = 0; k < 20; k++) {
      size_t align = (size_t)64 << (k % 8);
      void* p = k % 2 != 0 ? mi_heap_malloc_aligned_at(heap, sizes[i], align, 24)
                           : mi_heap_malloc_aligned(heap, sizes[i], align);
      shadow_add(&shadow, p, sizes[i]);
    }
  }
  shadow_add(&shadow, mi_heap_malloc_aligned(heap, 100, (size_t)64 << 20), 100);
  visit(heap);
  for (size_t i = 0; i < shadow.count; i += 2) free_at(i);
  visit(heap);
  mi_heap_destroy(heap);
}

static void random_mix(random_t* r) {
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 150; i++) {
      size_t size = random_size(r);
      shadow_add(&shadow, mi_heap_malloc(heap, size), size);
    }
    size_t from = random_below(r, 3);
    if (random_one_in(r, 3)) run(free_every_third, &from);
    for (size_t i = 0; i < shadow.count; i++) {
      if (random_one_in(r, 10)) free_at(i);
    }
    visit(heap);
  }
  mi_heap_delete(heap);
  for (size_t i = 0; i < shadow.count; i++) free_at(i);
}

/* ---- What the visitor does ---- */

static int calls_left;

static bool
stop(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  return --calls_left > 0;
}

static void stopping(void) {
  mi_heap_t* heap = mi_heap_new();
  for (int i = 0; i < 10; i++) CHECK(mi_heap_malloc(heap, 16) != NULL);
  for (int i = 0; i < 10; i++) CHECK(mi_heap_malloc(heap, 1000) != NULL);
  calls_left = 100;
  CHECK(mi_heap_visit_blocks(heap, false, stop, NULL));
  int areas = 100 - calls_left;
  CHECK_CMP(areas, >=, 2); /* more if the blocks are made larger, to be guarded */
  for (int calls = 1; calls <= areas + 20; calls++) {
    calls_left = calls;
    CHECK(!mi_heap_visit_blocks(heap, true, stop, NULL));
    CHECK_EQ(calls_left, 0);
  }
  calls_left = 100;
  CHECK(mi_heap_visit_blocks(heap, true, stop, NULL));
  CHECK_EQ(calls_left, 100 - areas - 20);
  CHECK(!mi_heap_visit_blocks(heap, true, NULL, NULL));
  CHECK(!mi_heap_visit_blocks(NULL, true, stop, NULL));
  CHECK_EQ(calls_left, 100 - areas - 20);
  mi_heap_destroy(heap);
}

static size_t busy_calls;

static void free_some(shadow_block_t* shown, size_t first, size_t step) {
  for (size_t i = first; i < shadow.count; i += step) {
    if (shadow.blocks[i].p != NULL && &shadow.blocks[i] != shown) free_at(i);
  }
}

/* Frees what it is shown and, now and then, others; allocates in the same heap; collects. */
static bool
busy(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  shadow_show(heap, area, block, size, &shadow);
  if (block == NULL) return true;
  shadow_block_t* shown = shadow_find(&shadow, block, size);
  busy_calls++;
  mi_free(mi_heap_malloc((mi_heap_t*)heap, size));
  for (int i = 0; i < 3; i++) {
    void* p = mi_heap_malloc((mi_heap_t*)heap, 2 * size);
    CHECK(p != NULL);
    mi_free(p);
  }
  if (busy_calls % 7 == 0) free_some(shown, busy_calls % 11, 50);
  if (busy_calls % 50 == 0) {
    size_t first = busy_calls % 3;
    for (size_t i = first; i < shadow.count; i += 100) {
      if (&shadow.blocks[i] != shown) free_at(i);
    }
    mi_collect(busy_calls % 100 == 0);
  }
  if (*(bool*)arg) {
    mi_free(shown->p);
    shown->p = NULL;
  }
  return true;
}

static void busy_visitor(bool frees_what_it_sees) {
  static const size_t sizes[] = {8, 16, 100, 5000, 20000, 200000, 3000000};
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  for (size_t i = 0; i < 7; i++) {
    size_t count = sizes[i] < 1000 ? 500 : sizes[i] < 1000000 ? 40 : 6;
    for (size_t k = 0; k < count; k++)
      shadow_add(&shadow, mi_heap_malloc(heap, sizes[i]), sizes[i]);
  }
  shadow_restart(&shadow);
  busy_calls = 0;
  shadow.tag = 0;
  CHECK(mi_heap_visit_blocks(heap, true, busy, &frees_what_it_sees));
  CHECK_CMP(busy_calls, >, 100);
  heaps_check();
  /* Whoever is still there was shown; who was freed before its turn was not (shadow_show). */
  for (size_t i = 0; i < shadow.count; i++) {
    if (shadow.blocks[i].p != NULL) CHECK_EQ(shadow.blocks[i].shown, 1);
  }
  visit(heap);
  if (frees_what_it_sees) {
    CHECK_EQ(shadow_live(&shadow), 0);
    /* Pages that became empty while they could not be given back are given back now. */
    mi_heap_collect(heap, true);
    CHECK_EQ(heap->page_count, 0);
  }
  mi_heap_delete(heap);
  for (size_t i = 0; i < shadow.count; i++) free_at(i);
}

static bool
resize(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)arg;
  if (block == NULL) return true;
  shadow_block_t* shown = shadow_find(&shadow, block, size);
  if (shown == NULL) return true; /* made by this visitor */
  shown->shown = 1;
  size_t newsize = shown->size * 3;
  uint8_t* p = mi_heap_realloc((mi_heap_t*)heap, shown->p, newsize);
  CHECK(p != NULL);
  shown->p = p;
  shown->size = newsize;
  return true;
}

/* Blocks, also huge ones, move while they are visited. */
static void resizing_visitor(void) {
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  static const size_t sizes[] = {100, 3000, 100000, 3000000, 6000000};
  for (int i = 0; i < 50; i++) {
    shadow_add(&shadow, mi_heap_malloc(heap, sizes[i % 5]), sizes[i % 5]);
  }
  CHECK(mi_heap_visit_blocks(heap, true, resize, NULL));
  visit(heap);
  CHECK_EQ(shadow_live(&shadow), 50);
  mi_heap_destroy(heap);
}

/* ---- Ownership ---- */

static int owned_static;

static void* in_other_thread(void* p) {
  CHECK(!mi_check_owned(p)); /* it has no heap yet */
  void* own = mi_malloc(100);
  CHECK(mi_check_owned(own));
  CHECK(!mi_check_owned(p));
  CHECK(!mi_heap_contains_block(mi_heap_get_default(), p));
  mi_free(own);
  mi_free(p);
  return NULL;
}

static void* make_block(void* size) { return mi_malloc(*(size_t*)size); }

static void owns_nothing_of(mi_heap_t* heap, const void* p) {
  CHECK(!mi_heap_check_owned(heap, p));
  CHECK(!mi_heap_contains_block(heap, p));
  CHECK(!mi_check_owned(p));
}

static void ownership(size_t size) {
  mi_heap_t* heap = mi_heap_new();
  mi_heap_t* other = mi_heap_new();
  uint8_t* p = mi_heap_malloc(heap, size);
  uint8_t* beside = mi_heap_malloc(heap, size); /* so that the page stays */
  CHECK(mi_heap_contains_block(heap, p));
  CHECK(mi_heap_check_owned(heap, p));
  CHECK(mi_heap_check_owned(heap, p + size - 1));
  CHECK(mi_heap_contains_block(heap, p + size - 1));
  owns_nothing_of(other, p);
  CHECK(!mi_check_owned(p));
  mi_heap_t* backing = mi_heap_set_default(heap);
  CHECK(mi_check_owned(p));
  mi_heap_set_default(backing);

  mi_free(p);
  owns_nothing_of(heap, p);
  p = mi_heap_malloc(heap, size);
  run(in_other_thread, p); /* frees it there */
  owns_nothing_of(heap, p);
  mi_heap_collect(heap, true);
  owns_nothing_of(heap, p);
  CHECK(mi_heap_check_owned(heap, beside));

  pthread_t thread;
  void* foreign;
  CHECK_EQ(pthread_create(&thread, NULL, make_block, &size), 0);
  pthread_join(thread, &foreign);
  owns_nothing_of(heap, foreign); /* nobody's */
  mi_free(foreign);

  int local = 0;
  const void* strange[] = {NULL,
                           &local,
                           &owned_static,
                           (void*)(uintptr_t)strlen,
                           (void*)1,
                           (void*)4096,
                           (void*)UINTPTR_MAX,
                           (void*)(UINTPTR_MAX / 2 + 1),
                           heap,
                           (void*)((uintptr_t)beside & ~(uintptr_t)MI_SEGMENT_MASK),
                           beside + ((size_t)1 << 40)};
  for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
    CHECK(!mi_heap_check_owned(heap, strange[i]));
    CHECK(!mi_heap_contains_block(heap, strange[i]));
    CHECK(!mi_heap_check_owned(NULL, strange[i]));
    CHECK(!mi_heap_contains_block(NULL, strange[i]));
  }
  mi_heap_destroy(heap);
  owns_nothing_of(other, beside);
  mi_heap_destroy(other);
}

/* In a full page of few blocks, the first that another thread frees waits on the heap's delayed list. */
static void ownership_of_delayed(void) {
  mi_heap_t* heap = mi_heap_new();
  start(heap);
  while (heap->pages[MI_QUEUE_OF_FULL].first == NULL) {
    shadow_add(&shadow, mi_heap_malloc(heap, 8000), 8000);
  }
  size_t i = 0;
  while (mi_page_of(shadow.blocks[i].p) != heap->pages[MI_QUEUE_OF_FULL].first) i++;
  void* p = shadow.blocks[i].p;
  shadow.blocks[i].p = NULL;
  CHECK(mi_heap_check_owned(heap, p));
  run(in_other_thread, p);
  CHECK(atomic_load(&heap->delayed) != 0);
  owns_nothing_of(heap, p);
  visit(heap);
  mi_heap_destroy(heap);
}

/* While the first block is shown, others free all and the page is purged; then the visitor takes new ones there. */
static void* purged_blocks[MI_MEDIUM_BLOCKS];

static void* free_purged(void* arg) {
  for (int i = 0; i < MI_MEDIUM_BLOCKS; i++) mi_free(purged_blocks[i]);
  mi_collect(true);
  return arg;
}

static bool purge_under_visit(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                              size_t size, void* shown) {
  (void)area;
  (void)size;
  if (block == NULL) return true;
  ++*(int*)shown;
  run(free_purged, NULL);
  for (int i = 0; i < MI_MEDIUM_BLOCKS; i++) {
    void* p = mi_heap_malloc((mi_heap_t*)heap, MI_MEDIUM_BLOCK_MAX);
    CHECK_PTR(mi_page_of(p), ==, mi_page_of(block));
  }
  return true;
}

static void purged_meanwhile(void) {
  if (MI_GUARDED) return; /* so many guarded blocks are not one page */
  mi_heap_t* heap = mi_heap_new();
  for (int i = 0; i < MI_MEDIUM_BLOCKS; i++) {
    purged_blocks[i] = mi_heap_malloc(heap, MI_MEDIUM_BLOCK_MAX);
  }
  CHECK_EQ(heap->page_count, 1);
  int shown = 0;
  CHECK(mi_heap_visit_blocks(heap, true, purge_under_visit, &shown));
  CHECK_EQ(shown, 1);
  mi_heap_destroy(heap);
}

/* The visitor takes the block that it freed before, frees the last one, and then that block again. */
typedef struct again_s {
  void* first;
  void* last;
  int shown;
} again_t;

static bool
free_again(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)area;
  again_t* again = arg;
  if (block == NULL) return true;
  CHECK_PTR(block, !=, again->last);
  if (again->shown++ > 1) return true;
  void* taken = mi_heap_malloc((mi_heap_t*)heap, size);
  CHECK_PTR(taken, ==, again->first);
  if (again->shown == 2) mi_free(again->last);
  mi_free(taken);
  return true;
}

static void freed_in_front_of_the_old(void) {
  enum { SIZE = 4096, MOST = 16 };
  if (MI_GUARDED) return;
  mi_heap_t* heap = mi_heap_new();
  void* first = mi_heap_malloc(heap, SIZE);
  again_t again = {first, NULL, 0};
  void* p = first;
  for (int i = 0; i < MOST && mi_page_of(p) == mi_page_of(first); i++) {
    if (p > again.last) again.last = p;
    p = mi_heap_malloc(heap, SIZE);
  }
  mi_free(p); /* the page is full */
  mi_free(first);
  CHECK(mi_heap_visit_blocks(heap, true, free_again, &again));
  CHECK_CMP(again.shown, >, 2);
  mi_heap_destroy(heap);
}

typedef struct collecting_s {
  void* freed; /* is freed, and handed out and freed again */
  void* head;  /* of local_free when the visit begins */
  int shown;
} collecting_t;

static bool collect_between(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                            size_t size, void* arg) {
  (void)area;
  collecting_t* c = arg;
  if (block == NULL) return true;
  CHECK_PTR(block, !=, c->freed);
  if (c->shown++ > 0) return true;
  mi_free(c->freed);
  mi_heap_collect((mi_heap_t*)heap, true);
  CHECK_PTR(mi_heap_malloc((mi_heap_t*)heap, size), ==, c->freed);
  CHECK_PTR(mi_heap_malloc((mi_heap_t*)heap, size), ==, c->head);
  mi_free(c->freed);
  mi_free(c->head);
  return true;
}

static bool collect_behind_head(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                                size_t size, void* arg) {
  (void)area;
  collecting_t* c = arg;
  if (block == NULL) return true;
  CHECK_PTR(block, !=, c->freed);
  if (c->shown++ > 0) return true;
  mi_free(c->freed);
  c->head = mi_heap_malloc((mi_heap_t*)heap, size);
  mi_free(c->head);
  mi_heap_collect((mi_heap_t*)heap, true);
  CHECK_PTR(mi_page_of(c->freed)->free, ==, c->head);
  return true;
}

/* The old head of a list is back, in front of what was not there before: of local_free, where a
   block was freed before the visit, or of `free`. */
static void freed_behind_the_head(bool freed_before, mi_block_visit_fun* visitor) {
  enum { SIZE = 64, COUNT = 40 };
  if (MI_GUARDED) return;
  mi_heap_t* heap = mi_heap_new();
  void* blocks[COUNT];
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_heap_malloc(heap, SIZE);
  collecting_t c = {blocks[30], freed_before ? blocks[20] : NULL, 0};
  mi_free(c.head);
  CHECK_PTR(mi_page_of(blocks[0])->free, !=, NULL);
  CHECK(mi_heap_visit_blocks(heap, true, visitor, &c));
  CHECK_EQ(c.shown, freed_before ? COUNT - 2 : COUNT - 1);
  mi_heap_destroy(heap);
}

enum { IN_RETIRED = 20 };

static bool use_retired(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* arg) {
  (void)area;
  (void)size;
  void** taken = arg;
  if (taken[0] != NULL || block == NULL) return true;
  for (int i = 0; i < IN_RETIRED; i++) taken[i] = mi_heap_malloc((mi_heap_t*)heap, 640);
  mi_heap_collect((mi_heap_t*)heap, true);
  for (int i = IN_RETIRED / 2; i < IN_RETIRED; i++) mi_free(taken[i]);
  return true;
}

/* A retired page that is in use again when the visit ends stays, however few of its blocks are left. */
static void retired_and_used_again(void) {
  if (MI_GUARDED) return;
  mi_heap_t* heap = mi_heap_new();
  void* other = mi_heap_malloc(heap, 2000); /* the visit begins here */
  void* before[3 * IN_RETIRED];
  for (int i = 0; i < 3 * IN_RETIRED; i++) before[i] = mi_heap_malloc(heap, 640);
  for (int i = 0; i < 3 * IN_RETIRED; i++) mi_free(before[i]);
  void* taken[IN_RETIRED] = {NULL};
  CHECK(mi_heap_visit_blocks(heap, true, use_retired, taken));
  const mi_page_t* page = mi_page_of(taken[0]);
  mi_heap_collect(heap, true);
  for (int i = 0; i < IN_RETIRED / 2; i++) {
    CHECK_PTR(mi_page_of(taken[i]), ==, page);
    CHECK(mi_heap_contains_block(heap, taken[i]));
    mi_free(taken[i]);
  }
  mi_free(other);
  mi_heap_delete(heap);
}

int main(void) {
  random_t r = {test_seed()};
  static const struct {
    size_t size;
    size_t count;
  } kinds[] = {{1, 300},    {8, 1800},    {16, 1800},  {48, 1500},   {1000, 200},
               {8192, 100}, {20000, 100}, {65536, 60}, {300000, 60}, {3000000, 12}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    one_size(kinds[i].size, kinds[i].count);
  }
  aligned();
  random_mix(&r);
  stopping();
  busy_visitor(false);
  busy_visitor(true);
  resizing_visitor();
  static const size_t sizes[] = {16, 1000, 20000, 300000, 3000000};
  for (size_t i = 0; i < 5; i++) ownership(sizes[i]);
  ownership_of_delayed();
  purged_meanwhile();
  freed_in_front_of_the_old();
  freed_behind_the_head(true, collect_between);
  freed_behind_the_head(false, collect_behind_head);
  retired_and_used_again();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  return 0;
}
