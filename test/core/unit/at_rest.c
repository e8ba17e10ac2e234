/* Pages whose blocks are all free, some on the lists of an owner that sleeps, the others on thread_free: the purger has
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

static void* allocs(void* arg) {
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  return arg;
}

static void in_another_thread(void* (*fn)(void*)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
  pthread_join(thread, NULL);
}

static bool adopts; /* the sleeper takes over the blocks of a thread that has ended */

/* Frees one block in eight itself. */
static void* sleep_with_some(void* arg) {
  sleepers_heap = mi_heap_get_backing();
  if (adopts) {
    in_another_thread(allocs);
    mi_collect(true);
    CHECK(mi_segment_is_mine(mi_segment_of(mi_page_of(blocks[0]))));
  } else {
    allocs(NULL);
  }
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

/* ---- As the purger: in a helper thread, which may neither allocate nor call the C library ---- */

static void in_helper(void (*fn)(void)) {
  CHECK(mi_os_helper_start(fn));
  mi_os_helper_join();
}

static int64_t purgers_next;
static int64_t rounds_time; /* later than all that was announced */

static void make_round(void) {
  mi_purge_budget_t budget = {SIZE_MAX};
  purgers_next = mi_scavenge_round(rounds_time, &budget);
}

static void purger_looks(void) {
  rounds_time = mi_os_now() + 100000;
  in_helper(make_round);
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
  mi_scavenge_all();
  CHECK_EQ(look().purged, 0); /* no thread of the program takes the lock of another one */
  purger_looks();
  counts_t counts = look();
  CHECK_CMP(counts.purged, >=, counts.pages - 1);
  CHECK_EQ(purgers_next, 0);
  end(thread);
}

static void not_with_a_living_block(void) {
  pthread_t thread = begin(does_nothing);
  free_rest(1, COUNT / 2);
  in_helper(mi_scavenge_all);
  counts_t counts = look();
  CHECK_CMP(counts.purged, >, 0);
  CHECK_CMP(counts.purged, <=, counts.pages / 2);
  free_rest(COUNT / 2, COUNT);
  end(thread);
}

static void frees_its_rest(void) {
  for (int i = 1; i < COUNT; i += 8) mi_free(blocks[i]);
  wait_for_other();
  wait_for_other(); /* asleep again */
}

/* Rounds have looked at what others freed, and are over, when the owner frees the rest. It looks at no page of which it
   frees but a few blocks: the trap tells. */
static void when_the_owner_frees_last(void) {
  pthread_t thread = begin(frees_its_rest);
  for (int i = 0; i < COUNT; i++) {
    if (i % 8 > 1) mi_free(blocks[i]);
  }
  for (int i = 0; i < 10; i++) purger_looks();
  CHECK_EQ(purgers_next, 0);
  CHECK_EQ(look().purged, 0);
  wait_for_other();
  wait_for_other();
  CHECK_CMP(mi_scavenge_next(), >, 0);
  for (int i = 0; i < 10; i++) purger_looks();
  CHECK_EQ(purgers_next, 0);
  counts_t counts = look();
  CHECK_CMP(counts.purged, >=, counts.pages - 1);
  end(thread);
}

/* A round comes by, and another one: only the second one purges. */
static void at_the_second_look(void) {
  pthread_t thread = begin(does_nothing);
  free_rest(0, COUNT);
  purger_looks();
  CHECK_EQ(look().purged, 0);
  CHECK_CMP(purgers_next, >, 0);
  purger_looks();
  CHECK_CMP(look().purged, >, 0);
  end(thread);
}

/* As if the purger had found the owner in its present call for more than a second. */
static void found_inside_long_ago(mi_owner_lock_t* lock) {
  atomic_store(&lock->seen_inside, atomic_load(&lock->inside));
  atomic_store(&lock->seen_since, (uint32_t)mi_os_now() - 1000);
}

/* As if the owner were in the middle of a call: it is asked again, but not for ever. */
static void not_while_the_owner_is_inside(void) {
  pthread_t thread = begin(does_nothing);
  mi_owner_lock_t* lock = sleepers_heap->segments->lock;
  free_rest(0, COUNT - 1);
  mi_owner_enter(lock);
  for (int i = 0; i < 3; i++) {
    purger_looks();
    CHECK_EQ(look().purged, 0);
    CHECK_CMP(purgers_next, >, 0);
  }
  found_inside_long_ago(lock);
  purger_looks();
  CHECK_EQ(look().purged, 0);
  CHECK_EQ(purgers_next, 0);
  mi_owner_leave(lock);
  free_rest(COUNT - 1, COUNT); /* so the slot is looked at again */
  in_helper(mi_scavenge_all);
  CHECK_CMP(look().purged, >, 0);
  end(thread);
}

static mi_owner_lock_t* some_lock;
static mi_owner_try_t tries[2];
static _Atomic(bool) has_tried, to_unlock;

static void locks_until_told(void) {
  for (int i = 0; i < 2; i++) tries[i] = mi_owner_try_lock(some_lock);
  atomic_store(&has_tried, true);
  while (!atomic_load(&to_unlock)) mi_os_yield(100);
  mi_owner_unlock(some_lock);
}

static void* enters(void* arg) {
  mi_owner_enter(some_lock);
  wait_for_other();
  mi_owner_leave(some_lock);
  return arg;
}

static void owner_waits(void) {
  some_lock = mi_owner_lock_begin();
  CHECK(mi_os_helper_start(locks_until_told));
  while (!atomic_load(&has_tried)) mi_os_yield(100);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, enters, NULL), 0);
  while (!mi_owner_is_inside(some_lock)) mi_os_yield(100); /* it says so, and waits */
  usleep(20 * 1000);
  CHECK_CMP(atomic_load(&some_lock->purger), >, 0);
  atomic_store(&to_unlock, true);
  wait_for_other();
  pthread_join(thread, NULL);
  mi_os_helper_join();
  CHECK_EQ(tries[0], MI_OWNER_LOCKED);
  CHECK_EQ(tries[1], MI_OWNER_LATER);
  CHECK(!mi_owner_is_inside(some_lock));
  CHECK_EQ(atomic_load(&some_lock->purger), 0);
  mi_owner_lock_end(some_lock);
}

static void waits_until_told(void) {
  while (!atomic_load(&to_unlock)) mi_os_yield(100);
}

/* A purger that the system has ended, in the call in which it could, while there is another one. */
static void owner_does_not_wait_for_a_lost_purger(void) {
  enum { LOST = 1000000 };
  mi_owner_lock_t* lock = mi_heap_get_backing()->segments->lock;
  atomic_store(&to_unlock, false);
  CHECK(mi_os_helper_start(waits_until_told));
  atomic_store(&lock->purger, LOST);
  mi_collect(false);
  CHECK_EQ(atomic_load(&lock->purger), 0);
  atomic_store(&to_unlock, true);
  mi_os_helper_join();
}

/* Neither does the next purger. */
static void purger_takes_the_place_of_a_lost_one(void) {
  enum { LOST = 1000000 };
  some_lock = mi_owner_lock_begin();
  atomic_store(&some_lock->purger, LOST);
  atomic_store(&to_unlock, true);
  in_helper(locks_until_told);
  CHECK_EQ(tries[0], MI_OWNER_LOCKED);
  CHECK_EQ(tries[1], MI_OWNER_LATER);
  mi_owner_lock_end(some_lock);
}

/* The owner was in a call for long, and is in another one now. */
static void another_call_counts_from_its_own_start(void) {
  pthread_t thread = begin(does_nothing);
  mi_owner_lock_t* lock = sleepers_heap->segments->lock;
  mi_owner_enter(lock);
  found_inside_long_ago(lock);
  mi_owner_leave(lock);
  free_rest(0, COUNT);
  mi_scavenge_all();
  mi_owner_enter(lock);
  purger_looks();
  CHECK_CMP(purgers_next, >, 0); /* it has been inside for one look only */
  mi_owner_leave(lock);
  purger_looks();
  CHECK_CMP(look().purged, >, 0);
  end(thread);
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

/* ---- Forks ---- */

static void allocs_and_frees(void) {
  void* all[COUNT];
  for (int i = 0; i < COUNT; i++) {
    all[i] = mi_malloc(SIZE);
    memset(all[i], i, SIZE);
  }
  heaps_check();
  for (int i = 0; i < COUNT; i++) {
    for (int j = 0; j < SIZE; j++) CHECK_EQ(((uint8_t*)all[i])[j], (uint8_t)i);
    mi_free(all[i]);
  }
  mi_collect(true);
}

/* The thread that forks was just about to lose its lists to a thread that is lost. */
static void forked_while_locked(void) {
  mi_owner_lock_t* lock = mi_heap_get_backing()->segments->lock;
  atomic_store(&lock->purger, 1000000);
  pid_t child = fork_and(allocs_and_frees);
  atomic_store(&lock->purger, 0);
  end_child(child);
}

static void* frees_rest(void* arg) {
  free_rest(0, COUNT);
  return arg;
}

/* All blocks of a page of this thread are free, and a lost thread has said so, but has not yet emptied the owner's
   lists. */
static void forked_while_a_page_was_taken(void) {
  for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(SIZE);
  mi_page_t* page = mi_page_of(blocks[COUNT / 2]);
  for (int i = 0; i < COUNT; i += 8) mi_free(blocks[i]);
  in_another_thread(frees_rest);
  uintptr_t word = atomic_load(&page->thread_free);
  CHECK_EQ(mi_tf_count(word), page->used + page->uncounted);
  CHECK(page->local_free != NULL);
  atomic_store(&page->thread_free, MI_TF_WHOLE | MI_TF_BUSY);
  pid_t child = fork_and(allocs_and_frees);
  atomic_store(&page->thread_free, word);
  end_child(child);
  mi_collect(true);
}

static void frees_and_looks(void) {
  mi_page_t* page = mi_page_of(blocks[COUNT / 2]);
  size_t left = page->used;
  for (int i = 0; i < COUNT && left > 0; i++) {
    if (i % 8 == 0 || mi_page_of(blocks[i]) != page) continue;
    mi_free(blocks[i]);
    blocks[i] = NULL;
    left--;
  }
  in_helper(mi_scavenge_all);
  purger_looks();
  size_t alive = 0;
  for (int i = 0; i < COUNT; i++) {
    if (i % 8 == 0 || blocks[i] == NULL) continue;
    alive++;
    for (int j = 0; j < SIZE; j++) CHECK_EQ(((uint8_t*)blocks[i])[j], (uint8_t)i);
  }
  CHECK_CMP(alive, >, COUNT / 2);
}

/* The lost owner was changing what it counts. */
static void forked_while_the_owner_counted(void) {
  pthread_t thread = begin(does_nothing);
  for (int i = 0; i < COUNT; i++) {
    if (i % 8 != 0) memset(blocks[i], i, SIZE);
  }
  mi_page_t* page = mi_page_of(blocks[COUNT / 2]);
  uint16_t used = page->used;
  uint16_t uncounted = page->uncounted;
  CHECK_CMP(used + uncounted, >, 20);
  page->used = 20;
  page->uncounted = 0;
  pid_t child = fork_and(frees_and_looks);
  page->used = used;
  page->uncounted = uncounted;
  end_child(child);
  free_rest(0, COUNT);
  end(thread);
}

static void without_a_fence(void) {
  pthread_t thread = begin(does_nothing);
  free_rest(0, COUNT);
  in_helper(mi_scavenge_all);
  for (int i = 0; i < 2; i++) purger_looks();
  CHECK_EQ(look().purged, 0);
  CHECK_EQ(purgers_next, 0);
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
  adopts = true;
  all_are_purged(allocs_again);
  adopts = false;
  not_with_a_living_block();
  when_the_owner_frees_last();
  at_the_second_look();
  not_while_the_owner_is_inside();
  another_call_counts_from_its_own_start();
  owner_does_not_wait_for_a_lost_purger();
  purger_takes_the_place_of_a_lost_one();
  forked_while_locked();
  forked_while_a_page_was_taken();
  /* It cannot follow threads that start in a child of a threaded process. */
  if (!MI_OS_TSAN) forked_while_the_owner_counted();
  mi_collect(true);
  memory_check();
  return 0;
}
