/* The deferred-free callback: called on slow paths, may allocate and free, is not called within itself. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"

static int depth;
static unsigned long calls;
static unsigned long forced;
static unsigned long long last_heartbeat;
static void* pending[1000];
static int pending_count;
static char argument;

static void deferred(bool force, unsigned long long heartbeat, void* arg) {
  CHECK_EQ(depth, 0);
  depth++;
  CHECK_PTR(arg, ==, &argument);
  CHECK_CMP(heartbeat, >, last_heartbeat);
  last_heartbeat = heartbeat;
  calls++;
  forced += force;
  for (int i = 0; pending_count > 0 && (force || i < 3); i++) mi_free(pending[--pending_count]);
  /* Enough to need slow paths itself. */
  void* p = mi_malloc(100000);
  void* q = mi_malloc(50000);
  CHECK(p != NULL && q != NULL);
  mi_free(p);
  mi_free(q);
  depth--;
}

/* However the heap's blocks come and go, it is called again after so many mallocs. */
static void comes_in_time(mi_heap_t* heap, size_t size, int together, int most) {
  void* blocks[100];
  for (int round = 0; round < 10; round++) {
    unsigned long before = calls;
    int mallocs = 0;
    while (calls == before) {
      for (int i = 0; i < together; i++) blocks[i] = mi_heap_malloc(heap, size);
      for (int i = 0; i < together; i++) mi_free(blocks[i]);
      mallocs += together;
      CHECK_CMP(mallocs, <, most + together);
    }
  }
}

static void is_certain(void) {
  static const size_t larger[] = {
      1025, 1500, 4000, 8192, 9000, MI_MEDIUM_BLOCK_MAX, MI_MEDIUM_BLOCK_MAX + 1, 65537, 200000};
  static const int together[] = {1, 7, 100};
  mi_heap_t* heaps[] = {mi_heap_get_default(), mi_heap_new()};
  for (size_t h = 0; h < 2; h++) {
    for (size_t t = 0; t < 3; t++) {
      for (size_t i = 0; i < sizeof(larger) / sizeof(*larger); i++) {
        comes_in_time(heaps[h], larger[i], together[t], 200);
      }
      comes_in_time(heaps[h], 16, together[t], 5000); /* a page has 4096 of them */
      comes_in_time(heaps[h], 1000, together[t], 200);
    }
  }
  mi_heap_delete(heaps[1]);
}

int main(void) {
  mi_register_deferred_free(deferred, &argument);
  for (int i = 0; i < 1000; i++) {
    void* p = mi_malloc(100); /* may call back, and so change the count */
    pending[pending_count++] = p;
  }
  void* blocks[2000];
  for (int i = 0; i < 2000; i++) blocks[i] = mi_malloc(4000);
  CHECK_CMP(calls, >, 100);
  CHECK_EQ(forced, 0);
  CHECK_CMP(pending_count, <, 700);
  /* Once, however many heaps there are. */
  mi_heap_t* heaps[3];
  for (int i = 0; i < 3; i++) CHECK_PTR(heaps[i] = mi_heap_new(), !=, NULL);
  unsigned long before = calls;
  mi_collect(false);
  CHECK_EQ(calls, before + 1);
  mi_heap_collect(heaps[0], false);
  CHECK_EQ(calls, before + 2);
  CHECK_EQ(forced, 0);
  mi_collect(true);
  CHECK_EQ(calls, before + 3);
  CHECK_EQ(forced, 1);
  CHECK_EQ(pending_count, 0);
  mi_heap_collect(heaps[0], true);
  CHECK_EQ(calls, before + 4);
  CHECK_EQ(forced, 2);
  mi_collect_reduce((size_t)1 << 30);
  CHECK_EQ(calls, before + 5);
  CHECK_EQ(forced, 3);
  for (int i = 0; i < 3; i++) mi_heap_delete(heaps[i]);
  for (int i = 0; i < 2000; i++) mi_free(blocks[i]);
  is_certain();
  before = calls;
  mi_register_deferred_free(NULL, NULL);
  mi_collect(true);
  CHECK_EQ(calls, before);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
