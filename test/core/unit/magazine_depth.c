/* A magazine holds more of a class whose blocks come and go in numbers, and not for longer. */
#include <pthread.h>

#include "check.h"
#include "heap/delayed.h"
#include "heap/magazine.h"
#include "heap/magazine_depth.h"
#include "heap/magazine_sweep.h"
#include "heap/queue.h"
#include "memory.h"
#include "os/rare.h"
#include "segment/purge.h"

enum { LEAST = 8, BLOCKS = 900, SIZE = 2000, BATCH = 150, REST = 2000 };

typedef struct workload_s {
  void* blocks[BLOCKS];
  size_t size;
} workload_t;

static mi_magazine_t* magazine_of_mine(void) { return mi_heap_get_backing()->magazine; }
static unsigned class_of(size_t size) { return mi_bin_of(size) - mi_bin_of(MI_SMALL_SIZE_MAX) - 1; }
static mi_magazine_stack_t* stack_of(size_t size) {
  return mi_magazine_stack(mi_heap_get_backing(), mi_bin_of(size));
}
static size_t depth_of(size_t size) { return mi_magazine_depth(stack_of(size)); }
static size_t held(const mi_magazine_t* magazine, size_t size) {
  size_t held = 0;
  for (unsigned i = 0; i < MI_MAGAZINE_DEPTH; i++) {
    held += atomic_load(&magazine->stacks[class_of(size)].slots[i]) != 0;
  }
  return held;
}

/* The rest of a heap of some size. */
static void alloc_rest(void** rest) {
  for (size_t i = 0; i < REST; i++) rest[i] = mi_malloc(5000);
}
static void free_rest(void** rest) {
  for (size_t i = 0; i < REST; i++) mi_free(rest[i]);
}

static void begin(workload_t* load, size_t size) {
  load->size = size;
  for (size_t i = 0; i < BLOCKS; i++) load->blocks[i] = mi_malloc(size);
  CHECK_PTR(magazine_of_mine(), !=, NULL);
  CHECK_EQ(depth_of(size), LEAST);
}
/* Every third block: no page becomes empty. */
static void free_some(workload_t* load, size_t count) {
  for (size_t i = 0; i < count; i++) mi_free(load->blocks[3 * i]);
}
static void alloc_some(workload_t* load, size_t count) {
  for (size_t i = 0; i < count; i++) load->blocks[3 * i] = mi_malloc(load->size);
}
static void free_all(workload_t* load) {
  for (size_t i = 0; i < BLOCKS; i++) mi_free(load->blocks[i]);
}
/* Blocks are freed in numbers, and wanted again. */
static void churn(workload_t* load) {
  for (int round = 0; round < 8; round++) {
    free_some(load, BATCH);
    alloc_some(load, BATCH);
  }
}
static void end(workload_t* load) {
  free_all(load);
  mi_collect(true);
  CHECK_EQ(held(magazine_of_mine(), load->size), 0);
}

static void grows_where_malloc_finds_none(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  free_some(&load, BATCH);
  CHECK_EQ(held(magazine_of_mine(), SIZE), MI_MAGAZINE_DEPTH);
  heaps_check();
  alloc_some(&load, BATCH);
  CHECK_EQ(depth_of(2 * SIZE), LEAST);
  end(&load);
}

static void stays_where_it_is_large_enough(void) {
  workload_t load;
  begin(&load, SIZE);
  for (int round = 0; round < 50; round++) {
    free_some(&load, LEAST);
    alloc_some(&load, LEAST);
  }
  CHECK_EQ(depth_of(SIZE), LEAST);
  end(&load);
}

static void holds_no_more_than_half_of_the_heap(void) {
  mi_heap_t* heap = mi_heap_get_backing();
  size_t room = 0;
  for (int round = 0; round < 4; round++) {
    for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) mi_magazine_deepen(heap, heap->stacks[i]);
  }
  for (unsigned i = 0; i < MI_MAGAZINE_CLASSES; i++) {
    room += (mi_magazine_depth(heap->stacks[i]) - LEAST) * heap->stacks[i]->block_size;
  }
  CHECK_CMP(room, >, heap->page_count * MI_UNIT_SIZE / 4);
  CHECK_CMP(room, <=, heap->page_count * MI_UNIT_SIZE / 2);
  /* A closed class opens all the same, as far as any may be open. */
  mi_magazine_stack_t* last = heap->stacks[MI_MAGAZINE_CLASSES - 1];
  mi_magazine_close(heap->magazine, last);
  CHECK_EQ(mi_magazine_depth(last), 0);
  for (unsigned i = 0; heap->stacks[i] != last; i++) mi_magazine_deepen(heap, heap->stacks[i]);
  last->overflows = MI_MAGAZINE_DEPTH - LEAST;
  mi_magazine_deepen(heap, last);
  CHECK_EQ(mi_magazine_depth(last), LEAST);
  mi_collect(true);
}

static void shrinks_after_a_peak(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  free_some(&load, BLOCKS / 3);
  CHECK_EQ(depth_of(SIZE), LEAST);
  CHECK_CMP(held(magazine_of_mine(), SIZE), <=, LEAST);
  heaps_check();
  alloc_some(&load, BLOCKS / 3);
  end(&load);
}

/* A program that only frees is not to be left with pages that the magazine keeps in use. */
static void closes_where_pages_end(void) {
  workload_t load;
  begin(&load, SIZE);
  free_all(&load);
  CHECK_CMP(depth_of(SIZE), <, LEAST);
  CHECK_CMP(stack_of(SIZE)->overflows, <=, 3 * MI_MAGAZINE_DEPTH);
  heaps_check();
  for (size_t i = 0; i < BLOCKS; i++) load.blocks[i] = mi_malloc(SIZE);
  CHECK_EQ(held(magazine_of_mine(), SIZE), 0);
  /* It opens again where malloc finds none of what had no room. */
  free_some(&load, BATCH);
  alloc_some(&load, BATCH);
  CHECK_CMP(depth_of(SIZE), >=, LEAST);
  end(&load);
}

/* Whole pages come and go: what had no room before finds some when it comes the next time. */
static void opens_as_far_as_needed(void) {
  enum { COUNT = 40 };
  void* blocks[COUNT];
  mi_collect(true);
  int64_t searches = 0;
  for (int round = 0; round < 8; round++) {
    if (round == 4) searches = mi_heap_get_backing()->tld->stats.page_searches;
    for (int i = 0; i < COUNT; i++) blocks[i] = mi_malloc(6000);
    for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
  }
  CHECK_EQ(held(magazine_of_mine(), 6000), COUNT);
  CHECK_EQ(mi_heap_get_backing()->tld->stats.page_searches, searches);
  mi_collect(true);
}

/* Also where a page's blocks went back out of a class that was as deep as may be. */
static void opens_again(void) {
  enum { OTHERS = 44 };
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  const mi_page_t* page = mi_page_of(load.blocks[BLOCKS - 100]);
  for (size_t i = 0, others = 0; others < OTHERS; i++) {
    if (mi_page_of(load.blocks[3 * i]) == page) continue;
    mi_free(load.blocks[3 * i]);
    load.blocks[3 * i] = NULL;
    others++;
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    if (load.blocks[i] == NULL || mi_page_of(load.blocks[i]) != page) continue;
    mi_free(load.blocks[i]);
    load.blocks[i] = NULL;
  }
  CHECK_EQ(depth_of(SIZE), OTHERS);
  CHECK_EQ(held(magazine_of_mine(), SIZE), OTHERS);
  heaps_check();
  for (size_t i = 0; i < BLOCKS; i++) {
    if (load.blocks[i] == NULL) load.blocks[i] = mi_malloc(SIZE);
  }
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  end(&load);
}

static void shrinks_when_collected(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  mi_collect(true);
  CHECK_EQ(depth_of(SIZE), LEAST);
  end(&load);
}

/* The rest of the heap goes, and the next slow path finds it small. */
static void shrinks_with_its_heap(void** rest) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  free_some(&load, BATCH);
  free_rest(rest);
  CHECK_CMP(held(magazine_of_mine(), SIZE), >, LEAST);
  mi_free(mi_malloc(1 << 20));
  CHECK_EQ(depth_of(SIZE), LEAST);
  CHECK_CMP(held(magazine_of_mine(), SIZE), <=, LEAST);
  alloc_some(&load, BATCH);
  alloc_rest(rest);
  end(&load);
}

/* Nothing that waits in a watched magazine is kept from the purger for long. */
static void is_told_of(void) {
  workload_t load;
  begin(&load, SIZE);
  churn(&load);
  CHECK(atomic_load(&magazine_of_mine()->watched));
  free_some(&load, BATCH);
  size_t tells_at = mi_magazine_tells_at(stack_of(SIZE));
  size_t in_use = mi_magazine_in_use(stack_of(SIZE));
  CHECK_CMP(tells_at * SIZE, >=, 2 * MI_UNIT_SIZE);
  CHECK_CMP(tells_at, >, in_use);
  CHECK_CMP(tells_at, <=, in_use + MI_UNIT_SIZE / SIZE + 1);
  alloc_some(&load, BATCH);
  end(&load);
}

/* Each of these is run by another thread than the owner. */
static void* takes_all(void* arg) {
  mi_magazine_take_all(&(mi_purge_budget_t){SIZE_MAX});
  return arg;
}
static void* looks(void* budget) {
  static int64_t passed; /* ms */
  passed += 1000;
  mi_magazine_round(mi_os_now() + passed, budget);
  return NULL;
}
static void by_another_thread(void* (*fn)(void*), void* arg) {
  pthread_t other;
  CHECK_EQ(pthread_create(&other, NULL, fn, arg), 0);
  pthread_join(other, NULL);
}
static size_t look_with(size_t units) {
  mi_purge_budget_t budget = {units};
  by_another_thread(looks, &budget);
  return budget.units;
}

/* Empties the lowest slots of a class. */
static void return_lowest(mi_magazine_t* magazine, size_t size) {
  for (unsigned i = 0; i < LEAST; i++) {
    _Atomic(uintptr_t)* slot = &magazine->stacks[class_of(size)].slots[i];
    mi_block_t* block = mi_magazine_block(atomic_exchange(slot, 0));
    mi_page_return_block(mi_page_of(block), block);
  }
}

/* A sweep with a small budget stops between two classes; the next one goes on there. */
static void* is_swept_in_parts(void* arg) {
  static const size_t sizes[] = {SIZE, 2 * SIZE, 4 * SIZE};
  workload_t loads[3];
  for (int i = 0; i < 3; i++) begin(&loads[i], sizes[i]);
  for (int i = 0; i < 3; i++) free_some(&loads[i], LEAST);
  mi_magazine_t* magazine = magazine_of_mine();
  CHECK_EQ(look_with(SIZE_MAX), SIZE_MAX - 3); /* they are seen */
  for (int taken = 1; taken <= 3; taken++) {
    CHECK_EQ(look_with(1), 0);
    for (int i = 0; i < 3; i++) {
      CHECK_EQ(held(magazine, sizes[i]), (size_t)(i < taken ? 0 : LEAST));
    }
  }
  for (int i = 0; i < 3; i++) {
    alloc_some(&loads[i], LEAST);
    free_all(&loads[i]);
  }
  return arg;
}
static void* churns(void* arg) {
  (void)arg;
  void* rest[REST];
  workload_t load;
  alloc_rest(rest);
  begin(&load, SIZE);
  churn(&load);
  CHECK_EQ(depth_of(SIZE), MI_MAGAZINE_DEPTH);
  free_some(&load, BATCH);
  mi_magazine_t* magazine = magazine_of_mine();
  CHECK_EQ(held(magazine, SIZE), MI_MAGAZINE_DEPTH);
  return_lowest(magazine, SIZE);
  by_another_thread(takes_all, NULL);
  CHECK_EQ(held(magazine, SIZE), 0);
  alloc_some(&load, BATCH);
  free_all(&load);
  free_rest(rest);
  return magazine;
}

/* Others take all that is in it; and the next thread that has it begins with little. */
static void is_swept_and_handed_on(void) {
  void* first = NULL;
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    void* magazine;
    CHECK_EQ(pthread_create(&thread, NULL, churns, NULL), 0);
    pthread_join(thread, &magazine);
    if (i > 0) CHECK_PTR(magazine, ==, first);
    first = magazine;
  }
}

int main(void) {
  mi_rare_set(mi_rare_magazine, 1);
  void* rest[REST];
  alloc_rest(rest);
  grows_where_malloc_finds_none();
  stays_where_it_is_large_enough();
  holds_no_more_than_half_of_the_heap();
  shrinks_after_a_peak();
  closes_where_pages_end();
  opens_as_far_as_needed();
  opens_again();
  shrinks_when_collected();
  shrinks_with_its_heap(rest);
  is_told_of();
  by_another_thread(is_swept_in_parts, NULL);
  is_swept_and_handed_on();
  free_rest(rest);
  mi_collect(true);
  memory_check();
  return 0;
}
