/* Full pages: found again when enough of their blocks came back, and never lost; and shared ones, where the owner
   frees as others do. */
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "heap/delayed.h"
#include "memory.h"
#include "page/page.h"
#include "page/scavenge.h"
#include "segment/segment.h"

enum { SIZE = 64, MOST = 1024 };

static mi_heap_t* heap;
static void* blocks[MOST]; /* of one page, which is full */
static size_t count;
static size_t quota;
static mi_page_t* page;

static bool is_full(void) { return page->in_full; }

/* Fills a page; the heap has another one of the class, not full, when it is done. */
static void fill(void) {
  void* rest[MOST];
  size_t others = 0;
  count = 0;
  mi_heap_collect(heap, true);
  void* p = mi_heap_malloc(heap, SIZE);
  page = mi_page_of(p);
  while (!is_full()) {
    if (mi_page_of(p) == page) {
      blocks[count++] = p;
    } else {
      rest[others++] = p;
    }
    p = mi_heap_malloc(heap, SIZE);
  }
  mi_free(p);
  while (others > 0) mi_free(rest[--others]);
  CHECK_EQ(count, page->reserved);
  quota = mi_page_quota(page);
  CHECK_CMP(quota, >, 10);
  heaps_check();
}

/* Frees so many of them. */
static void free_own(size_t n) {
  while (n-- > 0) mi_free(blocks[--count]);
  heaps_check();
}

static void* free_there(void* n) {
  for (size_t i = (size_t)(uintptr_t)n; i > 0; i--) mi_free(blocks[--count]);
  return NULL;
}

static void free_elsewhere(size_t n) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_there, (void*)(uintptr_t)n), 0);
  pthread_join(thread, NULL);
  heaps_check();
}

static bool is_noticed(void) { return mi_heap_has_delayed(heap); }

static void heartbeat(void) { mi_free(mi_malloc(3 << 20)); }

/* True if malloc hands out a block of the page soon. */
static bool is_found(void) {
  void* taken[4 * MOST];
  size_t n = 0;
  bool found = false;
  while (n < 4 * MOST && !found) {
    taken[n] = mi_heap_malloc(heap, SIZE);
    found = mi_page_of(taken[n++]) == page;
  }
  while (n > 0) mi_free(taken[--n]);
  return found;
}

static void by_its_owner(void) {
  fill();
  free_own(quota - 1);
  CHECK(is_full());
  CHECK(!is_found());
  free_own(1);
  CHECK(!is_full());
  CHECK(is_found());
  free_own(count);
}

static void by_others(void) {
  fill();
  free_elsewhere(quota - 1);
  CHECK(!is_noticed());
  CHECK(!is_found());
  free_elsewhere(1);
  CHECK(is_noticed());
  CHECK(is_found());
  free_own(count);
}

/* Each of them fewer than makes the page found. */
static void by_both(void) {
  fill();
  free_elsewhere(quota - 1);
  free_own(quota - 1);
  CHECK(is_full());
  CHECK(!is_noticed());
  free_own(1);
  CHECK(!is_full());
  CHECK(is_found());
  free_own(count);
}

/* Others have told of it, but the owner did not look yet. */
static void noticed_first(void) {
  fill();
  free_elsewhere(quota);
  free_own(quota + 1);
  CHECK(is_full());
  free_elsewhere(1);
  free_own(1);
  mi_collect(false);
  heaps_check();
  CHECK(is_found());
  free_own(count);
}

/* Where others free about as much as the owner, all that is free is on one list, until malloc needs it. */
static void shared(void) {
  fill();
  free_elsewhere(quota - 1);
  CHECK(!mi_page_is_shared(page));
  free_own(quota);
  CHECK(!is_full());
  CHECK(mi_page_is_shared(page));
  CHECK_EQ(mi_page_thread_free_count(page), 2 * quota - 1);
  void* again = blocks[count - 1];
  free_own(1);
  CHECK_EQ(mi_page_thread_free_count(page), 2 * quota);
  CHECK_EQ(page->used, page->reserved);
  if (MI_CHECKED) CHECK(mi_page_block_is_free(page, again));
  mi_collect(false);
  CHECK(mi_page_is_shared(page)); /* only a heartbeat, not malloc, looked at it */
  CHECK(is_found());
  CHECK(!mi_page_is_shared(page));
  free_own(count);
}

/* A page that was shared is so at once when it is full again, but not for ever if others do not free there. */
static void shared_again(void) {
  void* refilled[MOST];
  fill();
  free_elsewhere(quota);
  heartbeat();
  CHECK(mi_page_is_shared(page));
  for (int round = 0; round < 2; round++) {
    size_t n = 0;
    do {
      CHECK_CMP(n, <, MOST);
      refilled[n] = mi_heap_malloc(heap, SIZE);
    } while (mi_page_of(refilled[n++]) == page || !is_full());
    CHECK_EQ(mi_page_is_shared(page), round == 0);
    while (n > 0) mi_free(refilled[--n]);
    heartbeat();
  }
  free_own(count);
}

/* All blocks came back by the owner's hand, but on the list of the others. */
static void shared_to_the_end(void) {
  fill();
  free_elsewhere(quota);
  heartbeat();
  CHECK(mi_page_is_shared(page));
  int64_t pages = heap->tld->stats.pages.current;
  free_own(count);
  CHECK(mi_page_is_empty(page)); /* at once */
  mi_collect(true);
  CHECK_CMP(heap->tld->stats.pages.current, <, pages);
  memory_check();
}

/* Pages of a class that is not asked for any more: each goes back with its last block. */
static void shared_and_forgotten(size_t size) {
  enum { PAGES = 8, ROOM = 64 * PAGES };
  CHECK(heap->others_free);
  void* all[ROOM];
  size_t n = 0;
  int64_t pages = heap->tld->stats.pages.current;
  while (heap->tld->stats.pages.current < pages + PAGES) {
    CHECK_CMP(n, <, ROOM);
    all[n++] = mi_malloc(size);
  }
  CHECK(mi_page_is_shared(mi_page_of(all[n / 2])));
  for (size_t i = 0; i < n; i += 2) mi_free(all[i]);
  for (size_t i = 1; i < n; i += 2) mi_free(all[i]);
  CHECK_CMP(heap->tld->stats.pages.current, <=, pages + 1); /* one is retired */
  memory_check();
}

/* Of a page that was purged as a whole every block is free. */
static void shared_and_purged(void) {
  fill();
  free_elsewhere(quota);
  heartbeat();
  void* freed = blocks[1];
  free_own(count - 1);
  free_elsewhere(1);
  mi_scavenge_all();
  CHECK(mi_tf_is_purged(atomic_load(&page->thread_free)));
  CHECK(mi_page_block_is_free(page, freed));
  mi_collect(true);
  memory_check();
}

/* While a purge holds what is free in a shared page, the page looks as if others had freed nothing in it. */
static void collected_while_purged(void) {
  enum { BIG = 11000, OTHERS = 64 }; /* 17 to a page */
  mi_heap_t* own = mi_heap_new();
  void* rest[OTHERS];
  size_t others = 0;
  for (; others < 20; others++)
    rest[others] = mi_heap_malloc(own, BIG); /* what is borrowed, and more */
  count = 1;
  blocks[0] = mi_heap_malloc(own, BIG);
  page = mi_page_of(blocks[0]);
  free_elsewhere(1);
  while (!is_full()) {
    void* p = mi_heap_malloc(own, BIG);
    if (mi_page_of(p) == page) {
      blocks[count++] = p;
    } else {
      CHECK_CMP(others, <, OTHERS);
      rest[others++] = p;
    }
  }
  CHECK(mi_page_is_shared(page));
  mi_free(blocks[--count]);
  mi_heap_delayed_free(own);
  uintptr_t list = atomic_exchange(&page->thread_free, MI_TF_BUSY);
  CHECK_EQ(mi_tf_count(list), 1);
  mi_heap_collect(own, true);
  atomic_store(&page->thread_free, list);
  mi_heap_collect(own, true);
  while (count > 1) mi_free(blocks[--count]);
  mi_heap_collect(own, true);
  CHECK(mi_heap_contains_block(own, blocks[0]));
  mi_free(blocks[0]);
  while (others > 0) mi_free(rest[--others]);
  mi_heap_delete(own);
  memory_check();
}

static void not_shared(void) {
  fill();
  free_elsewhere(quota / 4);
  free_own(quota);
  CHECK(!is_full());
  CHECK(!mi_page_is_shared(page));
  free_own(count);
}

static void* free_some(void* some) {
  for (void** p = some; *p != NULL; p++) mi_free(*p);
  return NULL;
}

typedef enum collect_e { NEVER, NOW_AND_THEN, BY_FORCE } collect_t;

static void free_by_other(void** some) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_some, some), 0);
  pthread_join(thread, NULL);
  heaps_check();
}

/* Blocks of some pages die in turns; of each turn others free one in so many, and then the owner the rest, before it
   falls asleep; others free the last one of all. They may be few, or all of the first ones be the owner's. Between the
   turns the owner collects. (By force: then what is free is malloc's, and the last block must be the owner's.) */
static void others_free_few(size_t size, size_t one_in, size_t turns, collect_t collect) {
  enum { PAGES = 3 };
  static void* all[(PAGES + 1) * MOST];
  static void* some[PAGES * MOST + 1];
  mi_page_t* pages[PAGES] = {NULL};
  size_t n = 0;
  heap = mi_heap_new();
  void* p = mi_heap_malloc(heap, size);
  while (mi_page_of(p)->block_size >= size + size / 4)
    p = mi_heap_malloc(heap, size); /* borrowed */
  for (size_t i = 0; i < PAGES; i++) {
    pages[i] = mi_page_of(p);
    for (; mi_page_of(p) == pages[i]; p = mi_heap_malloc(heap, size)) {
      all[n++] = p;
      CHECK_CMP(n, <=, PAGES * MOST);
    }
    CHECK(pages[i]->in_full);
  }
  void* last[] = {all[--n], NULL};
  for (size_t turn = 0; turn < turns; turn++) {
    size_t others = 0;
    for (size_t i = turn; i < n; i += turns) {
      if (i * 7 % one_in == 0) some[others++] = all[i];
    }
    some[others] = NULL;
    free_by_other(some);
    for (size_t i = turn; i < n; i += turns) {
      if (i * 7 % one_in != 0) mi_free(all[i]);
    }
    if (collect != NEVER && turn < turns - 1) mi_heap_collect(heap, collect == BY_FORCE);
    heaps_check();
  }
  if (collect == BY_FORCE) {
    mi_free(last[0]);
  } else {
    free_by_other(last);
  }
  for (size_t i = 0; i < PAGES; i++) {
    bool is_gone = pages[i]->block_size == 0 || mi_page_is_empty(pages[i]);
    CHECK(is_gone || mi_page_thread_free_count(pages[i]) == pages[i]->reserved);
  }
  mi_heap_destroy(heap);
  heap = mi_heap_get_backing();
}

static void all_of_it(bool owner_first) {
  fill();
  int64_t pages = heap->tld->stats.pages.current;
  if (owner_first) free_own(quota - 1);
  free_elsewhere(count / 2);
  free_own(count);
  heartbeat();
  mi_collect(true);
  CHECK_CMP(heap->tld->stats.pages.current, <, pages);
  memory_check();
}

static void by_force(void) {
  fill();
  free_own(1);
  CHECK(is_full());
  mi_heap_collect(heap, false);
  CHECK(is_full());
  mi_heap_collect(heap, true);
  heaps_check();
  CHECK(!is_full());
  free_own(count);
  fill();
  free_elsewhere(1);
  mi_heap_collect(heap, true);
  heaps_check();
  CHECK(!is_full());
  free_own(count);
}

/* The blocks that are left must come through the end of their heap. */
static void heap_ends(bool others) {
  heap = mi_heap_new();
  fill();
  free_own(1);
  if (others) free_elsewhere(1);
  mi_heap_delete(heap);
  heap = mi_heap_get_backing();
  heaps_check();
  CHECK(!is_full());
  free_own(count - 1);
  free_elsewhere(1);
  mi_collect(true);
  memory_check();
}

static void heap_destroyed(void) {
  heap = mi_heap_new();
  fill();
  free_own(1);
  free_elsewhere(1);
  mi_heap_destroy(heap);
  memory_check();
  heap = mi_heap_get_backing();
}

static void* fill_and_end(void* arg) {
  heap = mi_heap_get_backing();
  fill();
  free_own(1);
  return arg;
}

static void thread_ends(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fill_and_end, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_CMP(memory_gauges().abandoned, ==, 1);
  heap = mi_heap_get_backing();
  free_elsewhere(1);
  while (count > 0) mi_free(blocks[--count]);
  mi_collect(true);
  CHECK_CMP(memory_gauges().abandoned, ==, 0);
  memory_check();
}

static void* free_later(void* p) {
  struct timespec moment = {0, 50000000};
  nanosleep(&moment, NULL);
  mi_free(p);
  return NULL;
}

/* The only block that is left in it is one that nobody would see. */
static void before_memory_is_short(void) {
  mi_arena_id_t id;
  CHECK_EQ(mi_reserve_os_memory_ex(8 << 20, true, false, true, &id), 0);
  heap = mi_heap_new_in_arena(id);
  void* last = NULL;
  for (void* p; (p = mi_heap_malloc(heap, SIZE)) != NULL; last = p) *(void**)p = last;
  mi_free(last);
  CHECK_PTR(mi_heap_malloc(heap, SIZE), ==, last);
  CHECK_PTR(mi_heap_malloc(heap, SIZE), ==, NULL);
  mi_option_set(mi_option_retry_on_oom, 10000);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_later, last), 0);
  CHECK_PTR(mi_heap_malloc(heap, SIZE), ==, last);
  pthread_join(thread, NULL);
  mi_option_set(mi_option_retry_on_oom, 0);
  mi_heap_destroy(heap);
  heap = mi_heap_get_backing();
}

/* With few blocks, each one counts. */
static void few_blocks(size_t size) {
  void* first = mi_malloc(size);
  page = mi_page_of(first);
  CHECK_EQ(mi_page_quota(page), 1);
  void* all[64];
  size_t n = 0;
  do {
    CHECK_CMP(n, <, 64);
    all[n] = mi_malloc(size);
  } while (mi_page_of(all[n++]) == page);
  CHECK(is_full());
  mi_free(first);
  CHECK(!is_full());
  while (n > 0) mi_free(all[--n]);
}

int main(void) {
  heap = mi_heap_get_backing();
  few_blocks(8192);
  few_blocks(16384);
  by_its_owner();
  by_others();
  by_both();
  noticed_first();
  shared();
  shared_again();
  shared_to_the_end();
  shared_and_forgotten(4096);
  shared_and_forgotten(16384);
  shared_and_purged();
  collected_while_purged();
  not_shared();
  static const size_t sizes[] = {64, 640, 1100, 2000, 4096, 20000};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    others_free_few(sizes[i], 1, 1, NEVER);
    others_free_few(sizes[i], 10, 1, NEVER);
    others_free_few(sizes[i], 10, 3, NEVER);
    others_free_few(sizes[i], 10, 3, NOW_AND_THEN);
  }
  others_free_few(64, 1000, 1, NEVER);
  others_free_few(64, 100, 8, NOW_AND_THEN);
  others_free_few(64, 10, 3, BY_FORCE);
  others_free_few(8192, 10, 8, NEVER);
  all_of_it(true);
  all_of_it(false);
  by_force();
  heap_ends(false);
  heap_ends(true);
  heap_destroyed();
  thread_ends();
  before_memory_is_short();
  return 0;
}
