/* Pages whose blocks are all free, some on the lists of an owner that sleeps, the others on thread_free: who purges has
   the owner's lock, and empties these lists. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "memory.h"
#include "os/fence.h"
#include "os/rare.h"
#include "page/page.h"
#include "page/scavenge.h"
#include "segment/owner_lock.h"

enum { SIZE = 64, COUNT = 10000 };

static void* blocks[COUNT];
static pthread_barrier_t step;
static void (*sleeper_then)(void);
static mi_heap_t* sleepers_heap;

static void wait_for_other(void) { pthread_barrier_wait(&step); }

/* Frees one block in eight itself. */
static void* sleep_with_some(void* arg) {
  sleepers_heap = mi_heap_get_backing();
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  for (int i = 0; i < COUNT; i += 8) mi_free(blocks[i]);
  wait_for_other();
  wait_for_other(); /* asleep */
  sleeper_then();
  heaps_check();
  return arg;
}

static pthread_t begin(void (*then)(void)) {
  pthread_t thread;
  sleeper_then = then;
  CHECK_EQ(pthread_create(&thread, NULL, sleep_with_some, NULL), 0);
  wait_for_other();
  return thread;
}

/* Another thread's frees: from block `first` to before `end`. */
static void free_rest(int first, int end) {
  for (int i = first; i < end; i++) {
    if (i % 8 != 0) mi_free(blocks[i]);
  }
}

static void end(pthread_t thread) {
  wait_for_other();
  pthread_join(thread, NULL);
}

typedef struct counts_s {
  size_t pages;
  size_t purged;
} counts_t;

static void count_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)heap;
  counts_t* counts = arg;
  if (page->block_size != SIZE) return;
  counts->pages++;
  counts->purged += mi_tf_is_purged(atomic_load(&page->thread_free));
}

/* Looks at the sleeper's pages. */
static counts_t look(void) {
  counts_t counts = {0, 0};
  mi_heap_for_each_page(sleepers_heap, MI_PAGE_QUEUES, count_page, &counts);
  CHECK_CMP(counts.pages, >, 5);
  return counts;
}

static void does_nothing(void) {}

static void allocs_again(void) {
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = mi_malloc(SIZE);
    memset(blocks[i], i, SIZE);
  }
  heaps_check();
  for (int i = 0; i < COUNT; i++) {
    CHECK_EQ(((uint8_t*)blocks[i])[SIZE - 1], (uint8_t)i);
    mi_free(blocks[i]);
  }
  mi_collect(true);
}

static void visits(void) {
  CHECK(!mi_check_owned(blocks[COUNT / 2]));
  CHECK(!mi_heap_contains_block(mi_heap_get_backing(), blocks[COUNT / 2]));
  mi_collect(false);
}

static void abandons(void) { mi_collect_reduce(0); }

/* All but the page from which malloc takes, and what has a living block. */
static void all_are_purged(void (*then)(void)) {
  pthread_t thread = begin(then);
  free_rest(0, COUNT);
  CHECK_EQ(look().purged, 0);
  mi_scavenge_all();
  counts_t counts = look();
  CHECK_CMP(counts.purged, >=, counts.pages - 1);
  end(thread);
}

static void not_with_a_living_block(void) {
  pthread_t thread = begin(does_nothing);
  free_rest(1, COUNT / 2);
  mi_scavenge_all();
  counts_t counts = look();
  CHECK_CMP(counts.purged, >, 0);
  CHECK_CMP(counts.purged, <=, counts.pages / 2);
  free_rest(COUNT / 2, COUNT);
  end(thread);
}

/* A round comes by, and another one: only the second one purges. */
static void at_the_second_look(void) {
  pthread_t thread = begin(does_nothing);
  mi_option_set(mi_option_purge_delay, 1);
  free_rest(0, COUNT);
  mi_purge_budget_t budget = {SIZE_MAX};
  int64_t later = mi_os_now() + 1000;
  CHECK_CMP(mi_scavenge_round(later, &budget), >, 0);
  CHECK_EQ(look().purged, 0);
  (void)mi_scavenge_round(later + 1000, &budget);
  CHECK_CMP(look().purged, >, 0);
  mi_option_set(mi_option_purge_delay, 100);
  end(thread);
}

/* As if the owner were in the middle of a call. */
static void not_while_the_owner_is_inside(void) {
  pthread_t thread = begin(does_nothing);
  mi_owner_lock_t* lock = sleepers_heap->segments->lock;
  free_rest(0, COUNT);
  mi_owner_enter(lock);
  CHECK(!mi_owner_try_lock(lock));
  mi_scavenge_all();
  CHECK_EQ(look().purged, 0);
  mi_owner_leave(lock);
  CHECK_CMP(mi_scavenge_next(), >, 0); /* they are looked at again */
  mi_scavenge_all();
  CHECK_CMP(look().purged, >, 0);
  end(thread);
}

static void* enters(void* lock) {
  wait_for_other();
  mi_owner_enter(lock);
  wait_for_other();
  mi_owner_leave(lock);
  return NULL;
}

static void owner_waits(void) {
  mi_owner_lock_t* lock = mi_owner_lock_begin();
  CHECK(mi_owner_try_lock(lock));
  CHECK(!mi_owner_try_lock(lock));
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, enters, lock), 0);
  wait_for_other();
  usleep(20 * 1000);
  atomic_thread_fence(memory_order_seq_cst);
  CHECK(mi_owner_is_inside(lock)); /* it says so, and waits */
  mi_owner_unlock(lock);
  wait_for_other();
  pthread_join(thread, NULL);
  CHECK(!mi_owner_is_inside(lock));
  mi_owner_lock_end(lock);
}

/* There are as many as threads at a time, and each is one thread's. */
static void many_locks(void) {
  enum { LOCKS = 300 };
  static mi_owner_lock_t* locks[LOCKS];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < LOCKS; i++) {
      locks[i] = mi_owner_lock_begin();
      CHECK_PTR(locks[i], !=, NULL);
      CHECK(!mi_owner_is_inside(locks[i]));
      for (int j = 0; j < i; j++) CHECK_PTR(locks[j], !=, locks[i]);
      mi_owner_enter(locks[i]);
    }
    for (int i = 0; i < LOCKS; i++) mi_owner_lock_end(locks[i]);
  }
}

static pid_t fork_and(void (*fn)(void)) {
  pid_t child = fork();
  CHECK_CMP(child, >=, 0);
  if (child == 0) {
    fn();
    _exit(0);
  }
  return child;
}

static void end_child(pid_t child) {
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

/* The thread that forks was just about to lose its lists to a thread that is lost. */
static void forked_while_locked(void) {
  mi_owner_lock_t* lock = mi_heap_get_backing()->segments->lock;
  atomic_store(&lock->other, MI_OTHER_THREAD);
  pid_t child = fork_and(allocs_again);
  atomic_store(&lock->other, MI_OTHER_NONE);
  end_child(child);
}

static void without_a_fence(void) {
  pthread_t thread = begin(does_nothing);
  free_rest(0, COUNT);
  mi_scavenge_all();
  CHECK_EQ(look().purged, 0);
  end(thread);
}

int main(void) {
  pthread_barrier_init(&step, NULL, 2);
  without_a_fence();
  mi_fence_prepare_early();
  CHECK(mi_fence_is_usable());
  many_locks();
  owner_waits();
  all_are_purged(does_nothing);
  all_are_purged(allocs_again);
  all_are_purged(visits);
  all_are_purged(abandons);
  not_with_a_living_block();
  at_the_second_look();
  not_while_the_owner_is_inside();
  forked_while_locked();
  mi_collect(true);
  memory_check();
  return 0;
}
