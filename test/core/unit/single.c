/* The pages of one block that a heap keeps after their blocks were freed. */
#include <pthread.h>

#include "heap/heap.h"

#include "check.h"
#include "heap/single.h"
#include "heap/thread.h"
#include "memory.h"
#include "segment/segment.h"

enum { KIB = 1024 };

static mi_heap_t* backing(void) { return mi_heap_get_backing(); }
static unsigned kept(void) { return backing()->single_count; }
static const mi_page_t* newest(void) {
  CHECK_CMP(kept(), >, 0);
  return backing()->singles[kept() - 1];
}
static int64_t pages_made(void) { return backing()->tld->stats.pages.total; }

static void* filled(size_t size) {
  void* p = mi_malloc(size);
  CHECK(p != NULL);
  memset(p, 0xA5, size);
  return p;
}

/* A block that comes and goes makes no page, and is the same each time. */
static void comes_and_goes(size_t size) {
  mi_collect(true);
  void* p = filled(size);
  mi_free(p);
  int64_t made = pages_made();
  for (int i = 0; i < 1000; i++) {
    void* q = filled(size);
    CHECK(q == p);
    mi_free(q);
  }
  CHECK_EQ(pages_made(), made);
  CHECK(mi_heap_is_valid(backing()));
}

/* Whether a block of size `next` gets the page of a block of size `size` that was freed. */
static bool serves(size_t size, size_t next) {
  mi_collect(true);
  mi_free(filled(size));
  int64_t made = pages_made();
  void* p = filled(next);
  CHECK_CMP(mi_usable_size(p), >=, next);
  bool same = pages_made() == made;
  if (same) CHECK_EQ(kept(), 0);
  CHECK(mi_heap_is_valid(backing()));
  mi_free(p);
  return same;
}

static void serves_other_classes(void) {
  CHECK(serves(36 * KIB, 64 * KIB));
  CHECK(serves(64 * KIB, 36 * KIB));
  CHECK(serves(128 * KIB, 72 * KIB));
  CHECK(!serves(128 * KIB, 64 * KIB));
  CHECK(!serves(64 * KIB, 128 * KIB));
  CHECK(serves(MI_SINGLE_BLOCK_MAX, MI_SINGLE_BLOCK_MAX - 1));
  CHECK(!serves(MI_SINGLE_BLOCK_MAX + 1, MI_SINGLE_BLOCK_MAX + 1));
}

static size_t kept_bytes(void) {
  size_t bytes = 0;
  for (unsigned i = 0; i < kept(); i++) bytes += backing()->singles[i]->block_size;
  return bytes;
}

/* The first ones that were freed, as many as there may be. */
static void keeps_few(size_t least, size_t step, unsigned most) {
  enum { COUNT = 20 };
  void* blocks[COUNT];
  mi_collect(true);
  int64_t before = backing()->tld->stats.pages.current;
  for (size_t i = 0; i < COUNT; i++) blocks[i] = filled(least + i * step);
  for (size_t i = 0; i < COUNT; i++) {
    mi_free(blocks[i]);
    CHECK_EQ(kept(), i < most ? i + 1 : most);
    CHECK_CMP(kept_bytes(), <=, MI_SINGLE_BLOCK_MAX);
    CHECK(mi_heap_is_valid(backing()));
  }
  for (unsigned i = 0; i < most; i++) {
    CHECK_PTR(backing()->singles[i], ==, mi_page_of(blocks[i]));
  }
  CHECK_EQ(backing()->tld->stats.pages.current, before + most);
  mi_collect(true);
  CHECK_EQ(backing()->tld->stats.pages.current, before);
  CHECK_EQ(kept(), 0);
}

/* Of those that fit, the one that was kept last is taken, in whichever place it is. */
static void takes_the_newest_that_fits(void) {
  mi_collect(true);
  void *first = filled(40 * KIB), *second = filled(50 * KIB), *longer = filled(100 * KIB);
  mi_free(first);
  mi_free(second);
  mi_free(longer);
  int64_t made = pages_made();
  CHECK(filled(60 * KIB) == second);
  CHECK(mi_heap_is_valid(backing()));
  CHECK(filled(60 * KIB) == first);
  CHECK_EQ(kept(), 1);
  CHECK(filled(70 * KIB) == longer);
  CHECK_EQ(pages_made(), made);
  CHECK_EQ(kept(), 0);
  mi_free(first);
  mi_free(second);
  mi_free(longer);
}

/* None is kept for long where the thread does other things. */
static void go_with_time(void) {
  enum { ROUNDS = 8, SLOW_PATHS = 64 };
  mi_collect(true);
  void *one = filled(40 * KIB), *two = filled(100 * KIB);
  mi_free(one);
  mi_free(two);
  CHECK_EQ(kept(), 2);
  mi_heap_collect(backing(), false);
  CHECK_EQ(kept(), 2);
  for (int i = 0; i < ROUNDS * SLOW_PATHS; i++) mi_free(filled(300 * KIB));
  CHECK_EQ(kept(), 0);
}

/* It counts like other retired pages: a heap that has as many as it may have keeps none. */
static void within_the_budget(void) {
  if (MI_DEBUG > 0) return; /* the heap is walked and found wrong */
  mi_collect(true);
  backing()->retired_bytes += MI_SEGMENT_SIZE;
  mi_free(filled(64 * KIB));
  CHECK_EQ(kept(), 0);
  backing()->retired_bytes -= MI_SEGMENT_SIZE;
  mi_free(filled(64 * KIB));
  CHECK_EQ(kept(), 1);
}

/* Pages of several blocks are kept beside as many of one block as there may be, also where all heaps together have as
   many as they may have. */
static void beside_others(void) {
  if (MI_DEBUG > 0) return; /* the heap is walked and found wrong */
  mi_collect(true);
  void* blocks[MI_SINGLES];
  for (size_t i = 0; i < MI_SINGLES; i++) blocks[i] = filled(64 * KIB);
  for (size_t i = 0; i < MI_SINGLES; i++) mi_free(blocks[i]);
  CHECK_EQ(kept(), MI_SINGLES);
  /* As if it had more, so that it may only have what each heap is sure of. */
  backing()->retired_bytes += MI_SEGMENT_SIZE;
  backing()->single_bytes += MI_SEGMENT_SIZE;
  backing()->single_room += MI_SEGMENT_SIZE;
  mi_free(filled(2000));
  int64_t made = pages_made();
  mi_free(filled(2000));
  CHECK_EQ(pages_made(), made);
  backing()->retired_bytes -= MI_SEGMENT_SIZE;
  backing()->single_bytes -= MI_SEGMENT_SIZE;
  backing()->single_room -= MI_SEGMENT_SIZE;
}

/* With this option no memory is to wait. */
static void not_without_delay(void) {
  long delay = mi_option_get(mi_option_purge_delay);
  mi_option_set(mi_option_purge_delay, 0);
  mi_collect(true);
  mi_free(filled(64 * KIB));
  CHECK_EQ(kept(), 0);
  mi_option_set(mi_option_purge_delay, delay);
}

/* Who takes what it kept has room for the block that it took last, and no more: it may fall asleep with them. */
static void room_for_the_last(void) {
  static const size_t sizes[] = {40 * KIB, 56 * KIB, 64 * KIB};
  void* blocks[3];
  mi_collect(true);
  for (int times = 0; times < 2; times++) {
    for (int i = 0; i < 3; i++) blocks[i] = filled(sizes[i]);
    if (times > 0) {
      CHECK_EQ(kept(), 0);
      CHECK_CMP(backing()->single_room, >=, sizes[0]);
      CHECK_CMP(backing()->single_room, <=, sizes[2]);
    }
    for (int i = 0; i < 3; i++) mi_free(blocks[i]);
    CHECK_EQ(kept(), 3);
    CHECK_EQ(backing()->single_room, backing()->single_bytes);
  }
}

enum { SLEEPERS = 100 };
static pthread_barrier_t asleep;
static _Atomic(int) keepers;

/* The pages of the smaller blocks are retired, too, and are more than 6 MiB of all threads. */
static void* sleeps_after_some_blocks(void* arg) {
  for (size_t size = 2000; size <= 30000; size += size / 4) mi_free(filled(size));
  mi_free(filled(128 * KIB));
  if (kept() > 0) atomic_fetch_add(&keepers, 1);
  pthread_barrier_wait(&asleep);
  pthread_barrier_wait(&asleep);
  return arg;
}

/* Threads that sleep keep 3 MiB of such pages, however many they are, and whatever else they keep. */
static void bounded_in_all(void) {
  pthread_t threads[SLEEPERS];
  mi_collect(true);
  pthread_barrier_init(&asleep, NULL, SLEEPERS + 1);
  for (int i = 0; i < SLEEPERS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, sleeps_after_some_blocks, NULL), 0);
  }
  pthread_barrier_wait(&asleep);
  CHECK_CMP(atomic_load(&keepers), >=, 20);
  CHECK_CMP(atomic_load(&keepers), <=, 24);
  pthread_barrier_wait(&asleep);
  for (int i = 0; i < SLEEPERS; i++) pthread_join(threads[i], NULL);
  /* They left their room to others, and so does who has no such page any more. */
  for (int i = 0; i < 2; i++) {
    mi_free(filled(128 * KIB));
    CHECK_EQ(kept(), 1);
    CHECK_EQ(backing()->single_room, 128 * KIB);
    mi_collect(true);
    CHECK_EQ(backing()->single_room, 0);
  }
}

static void* sleeps_with_a_block(void* arg) {
  mi_free(filled(128 * KIB));
  void* block = filled(128 * KIB); /* what it kept, if it had room */
  pthread_barrier_wait(&asleep);
  pthread_barrier_wait(&asleep);
  mi_free(block);
  return arg;
}

/* Threads that sleep, and keep nothing any more, leave their room to others where it is scarce. */
static void left_while_asleep(void) {
  pthread_t threads[SLEEPERS];
  mi_collect(true);
  for (int i = 0; i < SLEEPERS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, sleeps_with_a_block, NULL), 0);
  }
  pthread_barrier_wait(&asleep);
  mi_free(filled(128 * KIB));
  CHECK_EQ(kept(), 1);
  pthread_barrier_wait(&asleep);
  for (int i = 0; i < SLEEPERS; i++) pthread_join(threads[i], NULL);
}

static void is_zeroed(size_t size) {
  mi_free(filled(size));
  uint8_t* p = mi_calloc(1, size);
  for (size_t i = 0; i < size; i++) CHECK_EQ(p[i], 0);
  mi_free(p);
}

/* A page may begin at a place that is too low for another class of the same length, or, if it grew where it is, for
   its own. */
static void is_aligned(void) {
  enum { SMALL = 96 * KIB, LARGE = 128 * KIB };
  mi_collect(true);
  void* filler = NULL;
  void* p = filled(SMALL);
  if ((uintptr_t)p % LARGE == 0) {
    mi_free(p);
    mi_collect(true);
    filler = filled(64 * KIB); /* the next one begins one unit later */
    p = filled(SMALL);
  }
  CHECK_CMP((uintptr_t)p % LARGE, !=, 0);
  for (size_t grown = 0; grown < 2; grown++) {
    if (grown) CHECK(mi_realloc(p, LARGE) == p);
    mi_free(p);
    CHECK_CMP(kept(), >, 0);
    void* q = mi_malloc_aligned(LARGE, LARGE);
    CHECK_EQ((uintptr_t)q % LARGE, 0);
    CHECK(filled(SMALL) == p);
    mi_free(q);
  }
  mi_free(p);
  mi_free(filler);
}

/* While it is kept, its block is none. */
static void is_no_block(void) {
  void* p = filled(64 * KIB);
  void* aligned = mi_malloc_aligned_at(50 * KIB, 64, 8);
  mi_free(aligned); /* kept, with an address inside of it */
  CHECK(!mi_heap_check_owned(backing(), aligned));
  void* q = filled(50 * KIB);
  CHECK(mi_heap_check_owned(backing(), q));
  mi_free(q);
  mi_free(p);
  CHECK(!mi_heap_check_owned(backing(), q));
  CHECK(!mi_heap_contains_block(backing(), q));
  CHECK(mi_heap_is_valid(backing()));
}

/* What fn returns in a thread of its own, which then ends. */
static void* in_thread(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  void* result;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  CHECK_EQ(pthread_join(thread, &result), 0);
  return result;
}

static void* free_it(void* p) {
  mi_free(p);
  return NULL;
}

static void freed_by_another(void) {
  mi_collect(true);
  void* p = filled(64 * KIB);
  in_thread(free_it, p);
  CHECK_EQ(kept(), 0);
  comes_and_goes(64 * KIB);
}

/* A block that grows into the class of the kept page does not pop that page's list. Its block is on
   `free` if another thread freed it. */
static void grows_into_its_class(bool by_another) {
  mi_collect(true);
  void* grows = filled(32 * KIB);
  void* freed = filled(40 * KIB);
  if (by_another) {
    in_thread(free_it, freed);
    mi_heap_collect(backing(), false);
  } else {
    mi_free(freed);
  }
  CHECK_PTR(newest(), ==, mi_page_of(freed));
  if (by_another) CHECK_PTR(newest()->free, ==, freed);
  grows = mi_realloc(grows, 32 * KIB + 1);
  void* other = filled(40 * KIB);
  CHECK(mi_heap_is_valid(backing()));
  CHECK(mi_heap_check_owned(backing(), grows));
  CHECK(other != grows);
  CHECK_EQ(*(uint8_t*)grows, 0xA5);
  mi_free(other);
  mi_free(grows);
}

/* During a visit none is taken. */
static bool allocates_in_visit(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                               size_t size, void* arg) {
  (void)area, (void)size;
  if (block == NULL) return true;
  unsigned before = kept();
  *(void**)arg = mi_heap_malloc((mi_heap_t*)heap, 40 * KIB);
  CHECK_EQ(kept(), before);
  return false;
}

static void not_taken_in_visit(void) {
  mi_collect(true);
  void *stays = filled(40 * KIB), *goes = filled(40 * KIB), *made = NULL;
  mi_free(goes);
  CHECK_EQ(kept(), 1);
  CHECK(!mi_heap_visit_blocks(backing(), true, allocates_in_visit, &made));
  CHECK(made != NULL && made != goes);
  mi_free(stays);
  mi_free(made);
}

static bool frees_what_it_sees(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                               size_t size, void* count) {
  (void)area;
  if (block == NULL) return true;
  ++*(size_t*)count;
  mi_free(block);
  mi_free(mi_heap_malloc((mi_heap_t*)heap, size));
  return true;
}

/* What is kept, and what comes to be kept, while pages are walked through, is walked through, too. */
static void visited_beside_kept(void) {
  enum { COUNT = 12 };
  mi_heap_t* heap = backing();
  mi_collect(true);
  for (int round = 0; round < 3; round++) {
    void* blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) blocks[i] = filled((40 + 8 * (i % 2)) * KIB);
    /* The oldest one follows the first one that the visitor empties. */
    for (size_t i = 1; i < COUNT; i += 2) mi_free(blocks[i]);
    CHECK_EQ(kept(), MI_SINGLES);
    size_t count = 0;
    CHECK(mi_heap_visit_blocks(heap, true, frees_what_it_sees, &count));
    CHECK_EQ(count, COUNT / 2);
    CHECK(mi_heap_is_valid(heap));
    if (round > 0) mi_collect(true);
  }
}

/* A visitor finds what was there, and no block twice. */
static void visited(void) {
  enum { COUNT = 5 };
  mi_collect(true);
  mi_heap_t* heap = backing();
  for (size_t i = 0; i < COUNT; i++) CHECK(mi_malloc((40 + 8 * i) * KIB) != NULL);
  size_t count = 0;
  CHECK(mi_heap_visit_blocks(heap, true, frees_what_it_sees, &count));
  CHECK_EQ(count, COUNT);
  CHECK(mi_heap_is_valid(heap));
}

/* Other heaps keep none: there may be thousands. */
static void not_in_other_heaps(void) {
  mi_heap_t* heap = mi_heap_new();
  mi_free(mi_heap_malloc(heap, 64 * KIB));
  CHECK_EQ(heap->single_count, 0);
  CHECK_EQ(heap->page_count, 0);
  mi_heap_delete(heap);
}

static void* leaves_one(void* arg) {
  (void)arg;
  void* stays = mi_malloc(64 * KIB);
  mi_free(mi_malloc(64 * KIB));
  CHECK_CMP(kept(), >, 0);
  return stays;
}

/* A thread that ends leaves only the page of the block that is alive. */
static void thread_ends(void) {
  void* p = in_thread(leaves_one, NULL);
  mi_segment_t* segment = mi_segment_of(p);
  CHECK_EQ(mi_popcount64(mi_segment_pages(segment)), 1);
  mi_free(p);
  memory_check();
}

int main(void) {
  comes_and_goes(33 * KIB);
  comes_and_goes(64 * KIB);
  comes_and_goes(MI_SINGLE_BLOCK_MAX);
  serves_other_classes();
  keeps_few(34 * KIB, KIB, MI_SINGLES);
  keeps_few(64 * KIB, 0, MI_SINGLES);
  keeps_few(100 * KIB, KIB, 2);
  keeps_few(MI_SINGLE_BLOCK_MAX, 0, 1);
  takes_the_newest_that_fits();
  go_with_time();
  within_the_budget();
  beside_others();
  not_without_delay();
  room_for_the_last();
  bounded_in_all();
  left_while_asleep();
  is_zeroed(64 * KIB);
  is_zeroed(100 * KIB);
  is_aligned();
  is_no_block();
  freed_by_another();
  grows_into_its_class(false);
  grows_into_its_class(true);
  visited();
  visited_beside_kept();
  not_taken_in_visit();
  not_in_other_heaps();
  thread_ends();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
