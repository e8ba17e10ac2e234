/* Threads of two sub-processes come and go and leave blocks, huge ones too; others free them, and
   take over what is left; all the while two threads visit it. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"
#include "os/sanitizer.h"
#include "random.h"
#include "segment/abandoned.h"

enum { SLOTS = 2000, SUBPROCS = 2, PER_THREAD = 120 };

static _Atomic(void*) slots[SLOTS];
static mi_subproc_id_t subprocs[SUBPROCS];
static _Atomic(uint64_t) next_seed;
static _Atomic(int) makers;
static _Atomic(size_t) huge_shown;
static _Atomic(size_t) shown;

static void put(random_t* r, void* p) {
  mi_free(atomic_exchange(&slots[random_below(r, SLOTS)], p));
}

static void* short_life(void* subproc) {
  random_t r = {atomic_fetch_add(&next_seed, 1)};
  mi_subproc_add_current_thread(subproc);
  mi_heap_t* heap = mi_heap_new_ex((int)random_below(&r, 3), random_one_in(&r, 2), 0);
  for (int i = 0; i < PER_THREAD; i++) {
    size_t size = 1 + random_size(&r) + (random_one_in(&r, 60) ? MI_LARGE_BLOCK_MAX : 0);
    uint8_t* p = random_one_in(&r, 2) ? mi_malloc(size) : mi_heap_malloc(heap, size);
    CHECK(p != NULL);
    p[0] = p[size - 1] = 1;
    put(&r, p);
  }
  return NULL;
}

static void* make_threads(void* arg) {
  random_t r = {atomic_fetch_add(&next_seed, 1)};
  for (int i = 0; i < (TEST_VARIANT_CHECKED ? 40 : 120) / TEST_SLOWNESS; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, short_life, subprocs[random_below(&r, SUBPROCS)]), 0);
    pthread_join(thread, NULL);
  }
  atomic_fetch_sub(&makers, 1);
  return arg;
}

static void* free_blocks(void* subproc) {
  random_t r = {atomic_fetch_add(&next_seed, 1)};
  mi_subproc_add_current_thread(subproc);
  while (atomic_load(&makers) > 0) {
    for (int i = 0; i < 100; i++) put(&r, random_one_in(&r, 4) ? mi_malloc(random_size(&r)) : NULL);
    if (random_one_in(&r, 20)) mi_collect(true);
  }
  return NULL;
}

static bool
look(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* tag) {
  CHECK_PTR(heap, ==, NULL);
  CHECK(area->heap_tag >= 0 && area->heap_tag < 3);
  CHECK(*(int*)tag < 0 || area->heap_tag == *(int*)tag);
  CHECK_CMP(area->used * size, <=, area->committed);
  if (block == NULL) return true;
  size_t offset = (size_t)((uint8_t*)block - (uint8_t*)area->blocks);
  CHECK_EQ(offset % size, 0);
  CHECK_CMP(offset, <, area->committed);
  atomic_fetch_add(&shown, 1);
  if (size > MI_LARGE_BLOCK_MAX) atomic_fetch_add(&huge_shown, 1);
  /* It may just be being freed, but it is there. */
  if (!MI_OS_TSAN) (void)((volatile uint8_t*)block)[size - 1];
  return true;
}

static void* visit(void* arg) {
  random_t r = {atomic_fetch_add(&next_seed, 1)};
  while (atomic_load(&makers) > 0) {
    int tag = (int)random_below(&r, 4) - 1;
    CHECK(mi_abandoned_visit_blocks(subprocs[random_below(&r, SUBPROCS)], tag,
                                    !random_one_in(&r, 4), look, &tag));
  }
  return arg;
}

int main(void) {
  enum { MAKERS = 2, FREERS = 2, VISITORS = 2 };
  atomic_store(&next_seed, test_seed());
  mi_option_enable(mi_option_visit_abandoned);
  mi_free(mi_malloc(1));
  subprocs[0] = mi_subproc_main();
  subprocs[1] = mi_subproc_new();
  pthread_t threads[MAKERS + FREERS + VISITORS];
  atomic_store(&makers, MAKERS);
  for (int i = 0; i < MAKERS + FREERS + VISITORS; i++) {
    void* (*fn)(void*) = i < MAKERS ? make_threads : i < MAKERS + FREERS ? free_blocks : visit;
    CHECK_EQ(pthread_create(&threads[i], NULL, fn, subprocs[i % SUBPROCS]), 0);
  }
  for (int i = 0; i < MAKERS + FREERS + VISITORS; i++) pthread_join(threads[i], NULL);
  memory_check();
  printf("%zu blocks shown, %zu of them huge\n", atomic_load(&shown), atomic_load(&huge_shown));
  mi_subproc_delete(subprocs[1]);
  for (int i = 0; i < SLOTS; i++) mi_free(atomic_load(&slots[i]));
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().huge, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
