/* Blocks that a thread freed last: handed out first, kept from nobody who needs them. */
#include "heap/magazine.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "heap/magazine_fence.h"
#include "heap/magazine_sweep.h"
#include "heap/queue.h"
#include "memory.h"
#include "os/fence.h"
#include "os/rare.h"
#include "random.h"
#include "segment/purge.h"

enum { DEPTH = 8 }; /* of a class whose blocks do not come and go in numbers */
static random_t r;
static pthread_barrier_t step;

static mi_heap_t* heap_of_mine(void) { return mi_heap_get_backing(); }

static size_t held_in(const mi_magazine_t* magazine) {
  size_t held = 0;
  for (unsigned class = 0; class < MI_MAGAZINE_CLASSES; class ++) {
    const mi_magazine_stack_t* stack = &magazine->stacks[class];
    for (unsigned i = 0; i < MI_MAGAZINE_DEPTH; i++) {
      bool some = atomic_load(&stack->slots[i]) != 0;
      held += some;
      if (i >= mi_magazine_in_use(stack)) CHECK(!some);
    }
  }
  return held;
}
static size_t held(void) { return held_in(heap_of_mine()->magazine); }

/* Pages with blocks of this size in the heap. */
static size_t pages_of(size_t size) { return heap_of_mine()->pages_of[mi_bin_of(size)]; }

static void fill(void** blocks, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mi_malloc(size);
    CHECK_PTR(blocks[i], !=, NULL);
    memset(blocks[i], (int)i, size);
  }
}

static void free_shuffled(void** blocks, size_t count) {
  for (; count > 0; count--) {
    size_t i = random_below(&r, count);
    mi_free(blocks[i]);
    blocks[i] = blocks[count - 1];
  }
}

static void only_in_larger_heaps(void) {
  void* blocks[2000];
  fill(blocks, 100, 4000);
  CHECK_CMP(heap_of_mine()->page_count, <, 64);
  CHECK_PTR(heap_of_mine()->magazine, ==, NULL);
  fill(blocks + 100, 1900, 4000);
  CHECK_CMP(heap_of_mine()->page_count, >=, 64);
  CHECK_PTR(heap_of_mine()->magazine, !=, NULL);
  mi_heap_t* other = mi_heap_new();
  for (int i = 0; i < 1000; i++) mi_heap_malloc(other, 4000);
  CHECK_PTR(other->magazine, ==, NULL);
  mi_heap_destroy(other);
  free_shuffled(blocks, 2000);
  mi_collect(true);
  CHECK_EQ(held(), 0);
}

static void last_one_first(size_t size) {
  enum {
    COUNT = 200,
    TOGETHER = 4,
    FIRST = 20
  }; /* the very first are borrowed from other classes */
  void* blocks[COUNT];
  fill(blocks, COUNT, size);
  void* freed[TOGETHER];
  for (int i = 0; i < TOGETHER; i++) {
    freed[i] = blocks[i * 50 + FIRST];
    mi_free(freed[i]);
  }
  CHECK_CMP(held(), >=, TOGETHER);
  heaps_check();
  heap_of_mine()->quick_blocks = TOGETHER / 2; /* also at a heartbeat */
  for (int i = TOGETHER; i-- > 0;) {
    blocks[i * 50 + FIRST] = mi_malloc(size);
    CHECK_PTR(blocks[i * 50 + FIRST], ==, freed[i]);
  }
  free_shuffled(blocks, COUNT);
}

static void not_small_nor_large(void) {
  size_t before = held();
  static const size_t sizes[] = {16, MI_SMALL_SIZE_MAX, MI_MEDIUM_BLOCK_MAX + 1, 1 << 20, 8 << 20};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    void* blocks[4];
    fill(blocks, 4, sizes[i]);
    for (int k = 0; k < 3; k++) mi_free(blocks[k]);
    CHECK_EQ(held(), before);
    mi_free(blocks[3]);
  }
  void* blocks[40];
  fill(blocks, 40, MI_SMALL_SIZE_MAX + 1);
  for (int k = 20; k < 23; k++) mi_free(blocks[k]);
  CHECK_EQ(held(), before + 3);
  for (int k = 0; k < 40; k++) {
    if (k < 20 || k >= 23) mi_free(blocks[k]);
  }
}

/* Whatever the order: when all is free, no page is left but one that is kept for a while. */
static void holds_no_page(size_t size) {
  enum { COUNT = 400 };
  void* blocks[COUNT];
  for (int round = 0; round < 3; round++) {
    mi_collect(true);
    CHECK_EQ(pages_of(size), 0);
    fill(blocks, COUNT, size);
    CHECK_CMP(pages_of(size), >, 1);
    free_shuffled(blocks, COUNT);
    CHECK_CMP(pages_of(size), <=, 1);
    heaps_check();
  }
}

/* Beside others of its class, the only block of a page finds room: so pages stay that have no
   other, until the magazine is emptied. */
static void keeps_few_pages(size_t size, bool company) {
  enum { COUNT = 4000, BORROWED = 20 }; /* from other classes, at most */
  void* blocks[COUNT];
  void* alone[2 * DEPTH];
  void* companion = NULL;
  size_t pages = 0, rest = 0;
  mi_collect(true);
  fill(blocks, COUNT, size);
  for (size_t i = 0; i < COUNT; i++) {
    bool is_first = i >= BORROWED && mi_page_of(blocks[i]) != mi_page_of(blocks[i - 1]);
    if (is_first && pages < 2 * DEPTH) {
      alone[pages++] = blocks[i];
    } else if (company && pages == 1 && companion == NULL) {
      companion = blocks[i];
    } else {
      blocks[rest++] = blocks[i];
    }
  }
  CHECK_EQ(pages, 2 * DEPTH);
  free_shuffled(blocks, rest);
  mi_collect(true);
  CHECK_EQ(pages_of(size), 2 * DEPTH);
  if (company) {
    mi_free(companion);
    CHECK_EQ(held(), 1);
  }
  free_shuffled(alone + 1, pages - 1);
  if (!company) {
    CHECK_EQ(held(), 0);
    CHECK_CMP(pages_of(size), <=, 2);
    mi_free(alone[0]);
    return;
  }
  CHECK_EQ(held(), DEPTH); /* the companion, too, whose page has another block */
  CHECK_CMP(pages_of(size), >=, DEPTH);
  CHECK_CMP(pages_of(size), <=, DEPTH + 1);
  heaps_check();
  mi_free(alone[0]); /* its companion goes with it */
  CHECK_EQ(held(), DEPTH - 1);
  mi_collect(true);
  CHECK_EQ(pages_of(size), 0);
}

static void zeroed(size_t size) {
  void* blocks[30];
  mi_collect(true);
  fill(blocks, 30, size);
  void* freed = blocks[20];
  mi_free(freed);
  heap_of_mine()->quick_blocks = 0;
  unsigned char* p = mi_zalloc(size);
  CHECK_PTR(p, ==, freed);
  for (size_t i = 0; i < mi_usable_size(p); i++) CHECK_EQ(p[i], 0);
  blocks[20] = p;
  free_shuffled(blocks, 30);
}

static unsigned long heartbeats;
static void count_heartbeat(bool force, unsigned long long heartbeat, void* arg) {
  (void)force, (void)heartbeat, (void)arg;
  heartbeats++;
}

static void heart_beats(size_t size) {
  void* blocks[100];
  fill(blocks, 100, size);
  mi_register_deferred_free(count_heartbeat, NULL);
  heartbeats = 0;
  for (int i = 0; i < 1000; i++) {
    mi_free(blocks[i % 100]);
    blocks[i % 100] = mi_malloc(size);
  }
  mi_register_deferred_free(NULL, NULL);
  CHECK_CMP(heartbeats, >=, 1000 / 64);
  free_shuffled(blocks, 100);
}

typedef struct sighting_s {
  const void* p;
  size_t seen;
} sighting_t;

static bool
look_for(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)size;
  sighting_t* sighting = arg;
  sighting->seen += block == sighting->p;
  return true;
}

static bool
frees_it(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)size;
  if (block == arg) {
    mi_free(block);
    CHECK_EQ(held(), 0);
  }
  return true;
}

static void is_free_for_who_asks(void) {
  void* blocks[100];
  fill(blocks, 100, 3000);
  mi_free(blocks[50]);
  CHECK_CMP(held(), >=, 1);
  CHECK(!mi_heap_check_owned(heap_of_mine(), blocks[50]));
  CHECK(!mi_heap_contains_block(heap_of_mine(), blocks[50]));
  CHECK(mi_heap_contains_block(heap_of_mine(), blocks[49]));
  CHECK_CMP(held(), >=, 1);
  mi_free(blocks[51]);
  sighting_t sighting = {blocks[51], 0};
  CHECK(mi_heap_visit_blocks(heap_of_mine(), true, look_for, &sighting));
  CHECK_EQ(sighting.seen, 0);
  CHECK(mi_heap_visit_blocks(heap_of_mine(), true, frees_it, blocks[52]));
  for (int i = 0; i < 100; i++) {
    if (i < 50 || i > 52) mi_free(blocks[i]);
  }
}

/* A malloc that makes a heartbeat takes no fresh page while the magazine has a block, though that is
   not on a page. */
static void instead_of_a_fresh_page(size_t size) {
  enum { MOST = 2000 };
  void* blocks[MOST];
  fill(blocks, 100, size);
  size_t count = 100;
  mi_page_t* page;
  while ((page = heap_of_mine()->pages[mi_bin_of(size)].first) != NULL &&
         (page->free != NULL || page->local_free != NULL || page->capacity < page->reserved)) {
    CHECK_CMP(count, <, MOST);
    fill(blocks + count++, 1, size);
  }
  size_t pages = pages_of(size);
  for (int i = 0; i < 4; i++) mi_free(blocks[i * 20 + 10]);
  for (int i = 0; i < 4; i++) {
    heap_of_mine()->quick_blocks = 0;
    blocks[i * 20 + 10] = mi_malloc(size);
  }
  CHECK_EQ(pages_of(size), pages);
  heaps_check();
  free_shuffled(blocks, count);
}

static void emptied_by_force(void) {
  void* blocks[100];
  fill(blocks, 100, 3000);
  for (int i = 50; i < 53; i++) mi_free(blocks[i]);
  CHECK_CMP(held(), >=, 3);
  mi_collect(true);
  CHECK_EQ(held(), 0);
  for (int i = 0; i < 100; i++) {
    if (i < 50 || i >= 53) mi_free(blocks[i]);
  }
}

/* ---- Threads ---- */

enum { OF_SLEEPER = 200, SIZE_OF_SLEEPER = 5000, IN_MAGAZINE = 3 };
static void* of_sleeper[OF_SLEEPER];
static mi_magazine_t* magazine_of_sleeper;

static void* sleeper(void* arg) {
  fill(of_sleeper, OF_SLEEPER, SIZE_OF_SLEEPER);
  for (int i = 0; i < IN_MAGAZINE; i++) {
    mi_free(of_sleeper[i * 50]);
    of_sleeper[i * 50] = NULL;
  }
  magazine_of_sleeper = heap_of_mine()->magazine;
  CHECK_EQ(held(), IN_MAGAZINE);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* asleep */
  heaps_check();
  for (int i = 0; i < IN_MAGAZINE; i++) {
    of_sleeper[i * 50] = mi_malloc(SIZE_OF_SLEEPER);
    memset(of_sleeper[i * 50], 1, SIZE_OF_SLEEPER);
  }
  free_shuffled(of_sleeper, OF_SLEEPER);
  mi_collect(true);
  heaps_check();
  return arg;
}

static pthread_t start_sleeper(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  pthread_barrier_wait(&step);
  return thread;
}

/* One that allocates while nothing is ever to be purged. */
static pthread_t start_unwatched_sleeper(void) {
  long delay = mi_option_get(mi_option_purge_delay);
  mi_option_set(mi_option_purge_delay, -1);
  pthread_t thread = start_sleeper();
  mi_option_set(mi_option_purge_delay, delay);
  return thread;
}

static void wake_up(pthread_t thread) {
  pthread_barrier_wait(&step);
  pthread_join(thread, NULL);
}

static void pass_time(int64_t ms) {
  mi_magazine_round(mi_os_now() + ms, &(mi_purge_budget_t){SIZE_MAX});
}

static void not_taken_where_nothing_is_purged(void) {
  pthread_t thread = start_unwatched_sleeper();
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  wake_up(thread);
}

static void taken_at_the_second_look(void) {
  enum { DELAY = 10000, LATER = 10 * DELAY };
  /* However slow the machine is: what tests before announced is over. */
  for (int i = 0; i < 4; i++) pass_time(LATER);
  CHECK_EQ(mi_magazine_next(), 0);
  mi_option_set(mi_option_purge_delay, DELAY);
  pthread_t thread = start_sleeper();
  CHECK_CMP(mi_magazine_next(), >, 0);
  pass_time(0); /* nothing is due yet */
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  pass_time(LATER);
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  pass_time(LATER);
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  /* Two looks that find nothing, and nothing is due. */
  for (int i = 0; i < 3; i++) pass_time(LATER);
  CHECK_EQ(mi_magazine_next(), 0);
  mi_option_set(mi_option_purge_delay, 100);
  wake_up(thread);
}

static void taken_by_force(void) {
  pthread_t thread = start_sleeper();
  mi_collect(true);
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  wake_up(thread);
}

/* More magazines than a sweep looks at in one go. */
enum { KEEPERS = 150 };
static mi_magazine_t* kept_by[KEEPERS];
static pthread_barrier_t all_keep;

static void* keeps_one(void* arg) {
  enum { COUNT = 60 };
  void* blocks[COUNT];
  fill(blocks, COUNT, 3000);
  mi_free(blocks[COUNT / 2]);
  mi_magazine_t* magazine = heap_of_mine()->magazine;
  CHECK_EQ(held_in(magazine), 1);
  kept_by[(size_t)arg] = magazine;
  pthread_barrier_wait(&all_keep);
  pthread_barrier_wait(&all_keep);
  for (int i = 0; i < COUNT; i++) {
    if (i != COUNT / 2) mi_free(blocks[i]);
  }
  return NULL;
}

static size_t held_by_all(void) {
  size_t held = 0;
  for (size_t i = 0; i < KEEPERS; i++) held += held_in(kept_by[i]);
  return held;
}

static void taken_from_many(void) {
  pthread_t threads[KEEPERS];
  pthread_barrier_init(&all_keep, NULL, KEEPERS + 1);
  for (size_t i = 0; i < KEEPERS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, keeps_one, (void*)i), 0);
  }
  pthread_barrier_wait(&all_keep);
  /* Where there is no fence, owners are made to use exchanges first, and that takes a while. */
  for (int tries = 0; held_by_all() > 0; tries++) {
    CHECK(mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX}));
    CHECK_CMP(tries, <, 100);
    usleep(5000);
  }
  /* Or a program with many magazines would never be told that all was purged. */
  CHECK(mi_magazine_take_all(&(mi_purge_budget_t){1}));
  pthread_barrier_wait(&all_keep);
  for (size_t i = 0; i < KEEPERS; i++) pthread_join(threads[i], NULL);
}

static void empty_at_the_end_of_its_thread(void) {
  pthread_t thread = start_sleeper();
  wake_up(thread);
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  CHECK_EQ(atomic_load(&magazine_of_sleeper->owner), 0);
  const mi_magazine_t* first = magazine_of_sleeper;
  wake_up(start_sleeper());
  CHECK_PTR(magazine_of_sleeper, ==, first); /* used again */
}

static void* ends_with_some(void* arg) {
  fill(of_sleeper, OF_SLEEPER, SIZE_OF_SLEEPER);
  for (int i = 0; i < IN_MAGAZINE; i++) {
    mi_free(of_sleeper[i * 50]);
    of_sleeper[i * 50] = NULL;
  }
  CHECK_EQ(held(), IN_MAGAZINE);
  magazine_of_sleeper = heap_of_mine()->magazine;
  return arg;
}

static void nothing_is_lost_with_its_thread(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, ends_with_some, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  free_shuffled(of_sleeper, OF_SLEEPER);
  mi_collect(true);
  CHECK_EQ(pages_of(SIZE_OF_SLEEPER), 0);
  CHECK_EQ(memory_gauges().abandoned, 0);
  memory_check();
}

static void* frees(void* p) {
  mi_free(p);
  return NULL;
}

static void bounded(size_t size) {
  void* blocks[200];
  fill(blocks, 200, size);
  size_t before = held();
  for (int i = 1; i < 10; i++) mi_free(blocks[i * 20]); /* the very first are borrowed */
  CHECK_EQ(held() - before, DEPTH);
  for (int i = 0; i < 200; i++) {
    if (i % 20 != 0 || i == 0) mi_free(blocks[i]);
  }
}

/* What a thread does not use, it gives back itself as long as it is at work. */
static void aged_by_its_own_thread(void) {
  void* blocks[100];
  for (int cycle = 0; cycle < 3; cycle++) {
    fill(blocks, 100, 3000);
    for (int i = 50; i < 53; i++) mi_free(blocks[i]);
    CHECK_CMP(mi_magazine_next(), >, 0);
    pass_time(1000);
    size_t some = held();
    CHECK_CMP(some, >=, 3);
    mi_free(blocks[53]);
    pass_time(1000);
    CHECK_CMP(held(), <=, 1); /* but what is new */
    pass_time(1000);
    CHECK_EQ(held(), 0);
    heaps_check();
    /* That look found something. Of two more that find nothing, the second one is the last. */
    CHECK_CMP(mi_magazine_next(), >, 0);
    pass_time(1000);
    CHECK_EQ(mi_magazine_next(), 0);
    /* Also when the first look finds nothing. */
    mi_free(blocks[60]);
    CHECK_CMP(mi_magazine_next(), >, 0);
    mi_magazine_flush(heap_of_mine());
    pass_time(1000);
    CHECK_CMP(mi_magazine_next(), >, 0);
    pass_time(1000);
    CHECK_EQ(mi_magazine_next(), 0);
    for (int i = 0; i < 100; i++) {
      if (i < 50 || (i >= 54 && i != 60)) mi_free(blocks[i]);
    }
    mi_collect(true);
    for (int i = 0; i < 3; i++) pass_time(1000);
  }
}

/* A magazine that was watched need not be so in the hands of its next owner. */
static void not_watched_by_inheritance(void) {
  wake_up(start_sleeper());
  pthread_t thread = start_unwatched_sleeper();
  CHECK(atomic_load(&magazine_of_sleeper->was_watched));
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  wake_up(thread);
}

static void not_without_delay(void) {
  long delay = mi_option_get(mi_option_purge_delay);
  mi_option_set(mi_option_purge_delay, 0);
  mi_heap_t* heap = heap_of_mine();
  mi_magazine_flush(heap);
  mi_magazine_end(heap);
  void* blocks[2000];
  fill(blocks, 2000, 4000);
  CHECK_PTR(heap->magazine, ==, NULL);
  free_shuffled(blocks, 2000);
  mi_option_set(mi_option_purge_delay, delay);
}

/* A magazine that is there before anything is to be purged is watched from the next heartbeat on. */
static void watched_once_there_is_a_delay(void) {
  long delay = mi_option_get(mi_option_purge_delay);
  mi_option_set(mi_option_purge_delay, -1);
  void* blocks[2000];
  fill(blocks, 2000, 4000);
  const mi_magazine_t* magazine = heap_of_mine()->magazine;
  CHECK_PTR(magazine, !=, NULL);
  mi_free(blocks[100]);
  CHECK_EQ(held(), 1);
  CHECK(!atomic_load(&magazine->watched));
  mi_option_set(mi_option_purge_delay, delay);
  heap_of_mine()->quick_blocks = 0;
  blocks[100] = mi_malloc(4000);
  CHECK(atomic_load(&magazine->watched));
  free_shuffled(blocks, 2000);
}

/* Threads end while others look into their magazines. */
static _Atomic(bool) looking;
static void* look_all_the_time(void* arg) {
  while (atomic_load(&looking)) mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  return arg;
}

static pthread_t lookers[2];

static void start_looking(unsigned long race) {
  mi_rare_set(mi_rare_race, race);
  atomic_store(&looking, true);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(pthread_create(&lookers[i], NULL, look_all_the_time, NULL), 0);
  }
}

static void stop_looking(void) {
  atomic_store(&looking, false);
  for (int i = 0; i < 2; i++) pthread_join(lookers[i], NULL);
  mi_rare_set(mi_rare_race, 0);
}

static void* end_under_looks(void* arg) {
  enum { COUNT = 100 };
  void* blocks[COUNT];
  fill(blocks, COUNT, 3000);
  for (int i = 10; i < COUNT; i += 9) mi_free(blocks[i]);
  for (int i = 0; i < COUNT; i++) {
    if (i < 10 || (i - 10) % 9 != 0) mi_free(blocks[i]);
  }
  return arg;
}

static void threads_end_under_looks(void) {
  start_looking(3);
  for (int i = 0; i < 120 / TEST_SLOWNESS; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, end_under_looks, NULL), 0);
    pthread_join(thread, NULL);
    /* Nothing is alive. */
    CHECK_EQ(memory_gauges().abandoned, 0);
  }
  stop_looking();
}

/* A page that is shared, and then is not, is not held by what the magazine has of it. */
static void counted_when_shared(void) {
  mi_collect(true);
  fill(of_sleeper, OF_SLEEPER, SIZE_OF_SLEEPER);
  mi_page_t* page = mi_page_of(of_sleeper[100]);
  mi_heap_others_free(heap_of_mine());
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, frees, of_sleeper[100]), 0);
  pthread_join(thread, NULL);
  of_sleeper[100] = NULL;
  heap_of_mine()->quick_blocks = 0;
  mi_free(mi_malloc(16 << 20)); /* a heartbeat, at which the owner hears of it */
  CHECK(mi_page_is_shared(page));
  size_t in_magazine = 0;
  for (int i = 0; i < OF_SLEEPER && in_magazine < IN_MAGAZINE; i++) {
    if (of_sleeper[i] == NULL || mi_page_of(of_sleeper[i]) != page) continue;
    mi_free(of_sleeper[i]);
    of_sleeper[i] = NULL;
    in_magazine++;
  }
  CHECK_CMP(held(), >=, IN_MAGAZINE);
  collect_page(page);
  CHECK(!mi_page_is_shared(page));
  heaps_check();
  for (int i = 0; i < OF_SLEEPER; i++) {
    if (of_sleeper[i] == NULL || mi_page_of(of_sleeper[i]) != page) continue;
    mi_free(of_sleeper[i]);
    of_sleeper[i] = NULL;
  }
  CHECK(page->block_size == 0 || mi_page_is_empty(page)); /* given back, or retired */
  free_shuffled(of_sleeper, OF_SLEEPER);
}

_Noreturn static void child(void) {
  alarm(20);
  mi_magazine_settle(heap_of_mine()); /* nobody is at work there any more */
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  CHECK_EQ(atomic_load(&magazine_of_sleeper->owner), 0);
  /* All that the sleeper had can be freed, and then its pages have come back whole. */
  mi_page_t* page = mi_page_of(of_sleeper[1]);
  for (int i = 0; i < OF_SLEEPER; i++) mi_free(of_sleeper[i]);
  CHECK_EQ(mi_page_thread_free_count(page), page->reserved);
  heaps_check();
  _exit(0);
}

static void freed_in_a_forked_child(void) {
  pthread_t thread = start_sleeper();
  fflush(NULL);
  CHECK_PTR(heap_of_mine()->magazine, !=, NULL);
  atomic_fetch_add(&heap_of_mine()->magazine->visitors, 1);
  pid_t pid = fork();
  if (pid == 0) child();
  atomic_fetch_sub(&heap_of_mine()->magazine->visitors, 1);
  CHECK_CMP(pid, >, 0);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  wake_up(thread);
}

/* Slots whose blocks other threads took out are still in use; who pops finds that out. */
static void* pops_what_was_taken(void* arg) {
  enum { OF_PAGE = 12 };
  fill(of_sleeper, OF_SLEEPER, SIZE_OF_SLEEPER);
  mi_page_t* page = mi_page_of(of_sleeper[OF_SLEEPER / 2]);
  CHECK_EQ(page->reserved, OF_PAGE);
  size_t at[OF_PAGE], count = 0;
  for (size_t i = 0; i < OF_SLEEPER; i++) {
    if (mi_page_of(of_sleeper[i]) == page) at[count++] = i;
  }
  CHECK_EQ(count, OF_PAGE);
  for (size_t i = 0; i < DEPTH; i++) {
    mi_free(of_sleeper[at[i]]);
    of_sleeper[at[i]] = NULL;
  }
  magazine_of_sleeper = heap_of_mine()->magazine;
  CHECK_EQ(held(), DEPTH);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step); /* the others take all of them */
  CHECK_EQ(held(), 0);
  /* The slots are still counted, too: a pop finds that out. */
  CHECK_EQ(mi_magazine_in_use(page->stack), DEPTH);
  CHECK_PTR(mi_magazine_pop(magazine_of_sleeper, page->stack), ==, NULL);
  mi_free(of_sleeper[at[DEPTH]]);
  of_sleeper[at[DEPTH]] = NULL;
  CHECK_EQ(held(), 1);
  free_shuffled(of_sleeper, OF_SLEEPER);
  mi_collect(true);
  heaps_check();
  return arg;
}

static void popped_after_all_was_taken(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, pops_what_was_taken, NULL), 0);
  pthread_barrier_wait(&step);
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  wake_up(thread);
}

/* Blocks come and go while others look. Each has one user: who hands it out twice finds it
   changed. */
static void* come_and_go(void* arg) {
  enum { COUNT = 60, ROUNDS = 60000 / TEST_SLOWNESS };
  random_t random = {(uintptr_t)arg};
  size_t* blocks[COUNT];
  fill((void**)blocks, COUNT, 3000);
  size_t mine = (size_t)arg << 32;
  for (size_t i = 0; i < COUNT; i++) *blocks[i] = mine | i;
  for (size_t round = 0; round < ROUNDS; round++) {
    size_t i = random_below(&random, COUNT);
    CHECK_EQ(*blocks[i], mine | i);
    mi_free(blocks[i]);
    blocks[i] = mi_malloc(3000);
    *blocks[i] = mine | i;
  }
  for (size_t i = 0; i < COUNT; i++) mi_free(blocks[i]);
  return arg;
}

static void blocks_come_and_go_under_looks(void) {
  start_looking(5);
  pthread_t threads[2];
  for (uintptr_t i = 0; i < 2; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, (void*)(i + 1)), 0);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  stop_looking();
}

/* The process gave up the right to the fence. What is in a magazine waits until pops without an
   exchange are sure to be over. */
static void taken_once_the_fence_is_refused(void) {
  if (!mi_os_fence_threads_start()) return; /* the system has none */
  CHECK(mi_fence_is_usable());
  pthread_t thread = start_sleeper();
  mi_os_fail_from(1);
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(mi_os_fail_from(0), 1);
  CHECK(!mi_fence_is_usable());
  CHECK_EQ(held_in(magazine_of_sleeper), IN_MAGAZINE);
  usleep(150 * 1000);
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(held_in(magazine_of_sleeper), 0);
  /* So is one whose owner still found the fence as it came to be watched. */
  mi_magazine_t* magazine = magazine_of_sleeper;
  if (atomic_exchange(&magazine->by_exchange, false)) atomic_fetch_sub(&magazine->takers, 1);
  wake_up(thread);
  thread = start_sleeper();
  CHECK_PTR(magazine_of_sleeper, ==, magazine);
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(held_in(magazine), IN_MAGAZINE);
  usleep(150 * 1000);
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  CHECK_EQ(held_in(magazine), 0);
  wake_up(thread);
}

static void with_others(void) {
  not_taken_where_nothing_is_purged();
  taken_at_the_second_look();
  taken_by_force();
  nothing_is_lost_with_its_thread();
  freed_in_a_forked_child();
  not_watched_by_inheritance();
  threads_end_under_looks();
  blocks_come_and_go_under_looks();
}

int main(void) {
  r = (random_t){test_seed()};
  pthread_barrier_init(&step, NULL, 2);
  only_in_larger_heaps();
  mi_rare_set(mi_rare_magazine, 1);
  static const size_t sizes[] = {MI_SMALL_SIZE_MAX + 1, 4096, 9000, 30000, MI_MEDIUM_BLOCK_MAX};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    last_one_first(sizes[i]);
    holds_no_page(sizes[i]);
    keeps_few_pages(sizes[i], false);
    keeps_few_pages(sizes[i], true);
    zeroed(sizes[i]);
    heart_beats(sizes[i]);
  }
  not_small_nor_large();
  is_free_for_who_asks();
  instead_of_a_fresh_page(2000);
  instead_of_a_fresh_page(20000);
  emptied_by_force();
  empty_at_the_end_of_its_thread();
  with_others();
  mi_fence_prepare();
  taken_from_many();
  with_others();
  counted_when_shared();
  holds_no_page(3000);
  holds_no_page(30000);
  bounded(MI_MEDIUM_BLOCK_MAX);
  bounded(18 << 10);
  aged_by_its_own_thread();
  popped_after_all_was_taken();
  taken_once_the_fence_is_refused();
  with_others();
  not_without_delay();
  watched_once_there_is_a_delay();
  mi_collect(true);
  memory_check();
  return 0;
}
