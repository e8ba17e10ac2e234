/* Each switch of os/rare.h forces its path: without that, the tests that run under them prove nothing more
   than the others. */
#include "os/rare.h"

#include <pthread.h>

#include "check.h"
#include "heap/thread.h"
#include "memory.h"

/* What `count` blocks cost, with all of them freed again. */
typedef struct cost_s {
  int64_t pages;
  int64_t pages_freed;
  int64_t extends;
} cost_t;

static cost_t cost_of(size_t size, int count) {
  void* blocks[300];
  const mi_thread_stats_t* now = &mi_heap_default->tld->stats;
  mi_thread_stats_t before = *now;
  for (int i = 0; i < count; i++) blocks[i] = mi_malloc(size);
  for (int i = 0; i < count; i++) mi_free(blocks[i]);
  cost_t cost = {.pages = now->pages.total - before.pages.total,
                 .extends = now->pages_extended - before.pages_extended};
  cost.pages_freed = cost.pages - (now->pages.current - before.pages.current);
  return cost;
}

static void period(void) {
  mi_rare_set(mi_rare_extend, 3);
  int taken = 0;
  for (int i = 1; i <= 9; i++) {
    bool rare = mi_rare(mi_rare_extend);
    CHECK_EQ(rare, i % 3 == 0);
    taken += rare;
  }
  CHECK_EQ(taken, 3);
  mi_rare_set(mi_rare_extend, 0);
  CHECK(!mi_rare(mi_rare_extend));
}

static void extend(void) {
  mi_collect(true);
  CHECK_CMP(cost_of(64, 300).extends, <, 300);
  mi_collect(true);
  mi_rare_set(mi_rare_extend, 1);
  CHECK_EQ(cost_of(64, 300).extends + 1, 300); /* the page itself laid out the first */
  mi_rare_set(mi_rare_extend, 0);
}

static void retire(void) {
  mi_free(mi_malloc(1000));
  CHECK_EQ(cost_of(1000, 1).pages_freed, 0);
  mi_rare_set(mi_rare_retire, 1);
  mi_collect(true);
  CHECK_EQ(cost_of(1000, 1).pages_freed, 1);
  CHECK_EQ(cost_of(1000, 1).pages, 1);
  mi_rare_set(mi_rare_retire, 0);
}

/* A retired page does not outlive the next slow path. */
static void collect(void) {
  mi_free(mi_malloc(1000));
  mi_rare_set(mi_rare_collect, 1);
  CHECK_EQ(cost_of(5000, 1).pages_freed, 1);
  CHECK_EQ(cost_of(5000, 1).pages_freed, 1);
  mi_rare_set(mi_rare_collect, 0);
}

static void abandon(void) {
  void* p = mi_malloc(100);
  void* q = mi_malloc(100);
  CHECK_EQ(memory_gauges().abandoned, 0);
  mi_rare_set(mi_rare_abandon, 1);
  mi_free(q);
  mi_rare_set(mi_rare_abandon, 0);
  CHECK_EQ(memory_gauges().abandoned, 1);
  CHECK_EQ(mi_heap_default->page_count, 0);
  mi_free(p);
  CHECK_EQ(memory_gauges().abandoned, 0);
}

static void* leave_a_block(void* block) {
  *(void**)block = mi_malloc(100);
  return NULL;
}

/* A segment with free pages of its own keeps a thread from looking for others'. */
static void reclaim(void) {
  void* own = mi_malloc(100);
  void* left;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, leave_a_block, &left), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(memory_gauges().abandoned, 1);
  void* other = mi_malloc(2000);
  CHECK_EQ(memory_gauges().abandoned, 1);
  mi_rare_set(mi_rare_reclaim, 1);
  void* another = mi_malloc(4000);
  mi_rare_set(mi_rare_reclaim, 0);
  CHECK_EQ(memory_gauges().abandoned, 0);
  mi_free(own);
  mi_free(left);
  mi_free(other);
  mi_free(another);
}

static void purge(void) {
  mi_option_set(mi_option_purge_delay, -1);
  mi_collect(true);
  int64_t before = memory_gauges().committed;
  mi_rare_set(mi_rare_purge, 1);
  mi_rare_set(mi_rare_retire, 1);
  mi_free(mi_malloc(100));
  mi_free(mi_malloc(5 << 20));
  CHECK_EQ(memory_gauges().committed, before);
  mi_rare_set(mi_rare_purge, 0);
  mi_free(mi_malloc(100));
  CHECK_CMP(memory_gauges().committed, >, before);
  mi_rare_set(mi_rare_retire, 0);
}

static void slot(void) {
  mi_collect(true);
  int64_t before = memory_gauges().reserved;
  mi_rare_set(mi_rare_slot, 1);
  mi_free(mi_malloc(100));
  CHECK_CMP(memory_gauges().reserved, <, before + (int64_t)MI_CHUNK_SIZE);
  mi_collect(true);
  mi_rare_set(mi_rare_slot, 0);
  mi_free(mi_malloc(100));
  CHECK_CMP(memory_gauges().reserved, >=, before + (int64_t)MI_CHUNK_SIZE);
}

static void os_fail(void) {
  mi_collect(true);
  mi_rare_set(mi_rare_os_fail, 1);
  void* p = mi_malloc(100);
  CHECK_PTR(p, ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  mi_rare_set(mi_rare_os_fail, 0);
}

int main(void) {
  mi_thread_init();
  period();
  extend();
  retire();
  collect();
  abandon();
  reclaim();
  purge();
  slot();
  os_fail();
  memory_check();
  return 0;
}
