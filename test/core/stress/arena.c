/* Threads with a heap each in one exclusive arena, which is full again and again: every block lies in
   it, none is given to two, other threads free some, heaps are destroyed and deleted, threads end. At
   the end all of it can be had by one. */
#include <pthread.h>

#include "arena.h"
#include "memory.h"
#include "random.h"

enum { THREADS = 4, ROUNDS = 6, SHARED = 64, MOST = 4000 / TEST_SLOWNESS };

static area_t area;
static uint64_t seed;
static _Atomic(uint8_t*) shared[SHARED];

typedef struct block_s {
  uint8_t* p;
  size_t size;
} block_t;

/* The size is in the first word of a shared block, the rest is its pattern. */
static void release(uint8_t* p) {
  if (p == NULL) return;
  size_t size = *(size_t*)p;
  CHECK(pattern_holds(p + 8, size - 8, size));
  mi_free(p);
}

static size_t a_size(random_t* r) {
  if (random_one_in(r, 40)) return 2 * MIB + random_below(r, 7 * MIB);
  return 16 + random_size(r);
}

static bool use_heap(mi_heap_t* heap, random_t* r) {
  static _Thread_local block_t blocks[MOST];
  size_t count = 0;
  bool full = false;
  for (size_t i = 0; i < MOST; i++) {
    size_t size = a_size(r);
    uint8_t* p = random_one_in(r, 2) ? mi_heap_malloc(heap, size) : mi_heap_zalloc(heap, size);
    if (p == NULL) {
      CHECK_EQ(errno, ENOMEM);
      full = true;
      size_t half = count / 2;
      while (count > half) {
        count--;
        CHECK(pattern_holds(blocks[count].p, blocks[count].size, (uintptr_t)blocks[count].p));
        mi_free(blocks[count].p);
      }
      continue;
    }
    CHECK(area_has(area, p, size));
    if (random_one_in(r, 5)) {
      *(size_t*)p = size;
      pattern_fill(p + 8, size - 8, size);
      release(atomic_exchange(&shared[random_below(r, SHARED)], p));
    } else {
      pattern_fill(p, size, (uintptr_t)p);
      blocks[count++] = (block_t){p, size};
    }
  }
  while (count > 0) {
    count--;
    CHECK(pattern_holds(blocks[count].p, blocks[count].size, (uintptr_t)blocks[count].p));
    mi_free(blocks[count].p);
  }
  return full;
}

static void* worker(void* arg) {
  random_t r = {seed + (uintptr_t)arg};
  mi_heap_t* heap = mi_heap_new_ex(0, false, area.id);
  for (int i = 0; i < 2; i++) use_heap(heap, &r);
  if (random_one_in(&r, 2)) mi_heap_delete(heap);
  return NULL;
}

int main(void) {
  seed = test_seed();
  area = area_reserve(76 * MIB, true);
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  size_t all = area_fill(area, heap, 3 * MIB).count;
  CHECK_EQ(all, area.size / SLOT);
  mi_heap_destroy(heap);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
      void* arg = (void*)(i + (uintptr_t)round * 100);
      CHECK_EQ(pthread_create(&threads[i], NULL, worker, arg), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    memory_check();
  }
  for (int i = 0; i < SHARED; i++) release(atomic_exchange(&shared[i], NULL));
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  heap = mi_heap_new_in_arena(area.id);
  CHECK_EQ(area_fill(area, heap, 3 * MIB).count, all);
  mi_heap_destroy(heap);
  return 0;
}
