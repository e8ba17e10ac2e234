/* From a pointer to what it points into. The addresses here are made up; the tables do not look at them. */
#include "segment/map.h"

#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"

enum { THREADS = 4, PER_THREAD = 2000 };

static void* address(size_t segment_number) {
  return (void*)(((uintptr_t)0x2000 << 32) + (segment_number << MI_SEGMENT_SHIFT));
}

/* Through a volatile, or the compiler sees that the address is made up. */
static bool in_chunk(const void* p) {
  const void* volatile hidden = p;
  return mi_is_in_chunk(hidden);
}

static void chunks(void) {
  uint8_t* chunk = (uint8_t*)((uintptr_t)0x1234 << 32);
  CHECK(!in_chunk(NULL));
  CHECK(!in_chunk(chunk));
  CHECK(mi_chunk_map_add(chunk));
  CHECK(in_chunk(chunk));
  CHECK(in_chunk(chunk + MI_CHUNK_SIZE - 1));
  CHECK(!in_chunk(chunk - 1));
  CHECK(!in_chunk(chunk + MI_CHUNK_SIZE));
  void* beyond = (void*)((uintptr_t)1 << MI_ADDRESS_BITS);
  CHECK(!mi_chunk_map_add(beyond));
  CHECK(!in_chunk(beyond));
  CHECK(!in_chunk((void*)UINTPTR_MAX));
}

static void one_entry(void) {
  uint8_t* block = (uint8_t*)address(1 << 20) + 4096;
  mi_segment_t* segment = address(1 << 20);
  CHECK_PTR(mi_segment_table_find(block), ==, NULL);
  CHECK_PTR(mi_segment_table_find(NULL), ==, NULL);
  CHECK_PTR(mi_segment_table_find((void*)UINTPTR_MAX), ==, NULL);
  void* beyond = (void*)((uintptr_t)1 << MI_ADDRESS_BITS);
  CHECK(!mi_segment_table_add(beyond, beyond, MI_SEGMENT_SIZE));
  CHECK(mi_segment_table_add(block, segment, MI_SEGMENT_SIZE));
  CHECK_PTR(mi_segment_table_find(block), ==, segment);
  CHECK_PTR(mi_segment_table_find(block + 100), ==, segment);
  CHECK_PTR(mi_segment_table_find((uint8_t*)segment + MI_SEGMENT_SIZE), ==, NULL);
  mi_segment_table_remove(segment, MI_SEGMENT_SIZE);
  CHECK_PTR(mi_segment_table_find(block), ==, NULL);
}

/* A mapping over three leaves, whose block starts in its second entry. */
static void many_entries(void) {
  size_t size = ((size_t)9000 << MI_SEGMENT_SHIFT) + 12288;
  uint8_t* base = address(((size_t)3 << 20) - 5);
  uint8_t* block = base + MI_SEGMENT_SIZE + 16;
  CHECK(!mi_segment_table_covers(base));
  CHECK(mi_segment_table_add(block, (mi_segment_t*)base, size));
  CHECK_PTR(mi_segment_table_find(base), ==, NULL);
  CHECK_PTR(mi_segment_table_find(block), ==, base);
  CHECK_PTR(mi_segment_table_find(base + 2 * MI_SEGMENT_SIZE), ==, NULL);
  CHECK(!mi_segment_table_covers(base - 1));
  CHECK(mi_segment_table_covers(base));
  CHECK(mi_segment_table_covers(base + size / 2));
  CHECK(mi_segment_table_covers(base + size - 1));
  CHECK(!mi_segment_table_covers(base + size));
  mi_segment_table_remove(base, size);
  for (size_t i = 0; i < size; i += MI_SEGMENT_SIZE) CHECK(!mi_segment_table_covers(base + i));
  CHECK_PTR(mi_segment_table_find(block), ==, NULL);
  CHECK(!mi_segment_table_covers(NULL));
  CHECK(!mi_segment_table_covers((void*)UINTPTR_MAX));
}

/* What is pinned stays with who pinned it, when it is removed. */
static void pins(void) {
  enum { COUNT = 3 };
  const size_t size = MI_SEGMENT_SIZE + 4096;
  mi_segment_t* segments[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    segments[i] = address(((size_t)7 << 20) + i * 5000);
    CHECK(mi_segment_table_add((uint8_t*)segments[i] + 64, segments[i], size));
  }
  void* slot = address(((size_t)7 << 20) + 2);
  CHECK(mi_segment_table_add(slot, slot, MI_SEGMENT_SIZE));
  size_t place = 0;
  for (size_t i = 0; i < COUNT; i++) {
    uint8_t* block = (uint8_t*)segments[i] + 64;
    CHECK_PTR(mi_segment_table_pin(&place), ==, segments[i]);
    CHECK_PTR(mi_segment_table_find(block), ==, segments[i]);
    CHECK(!mi_segment_table_try_remove(block));
    CHECK_PTR(mi_segment_table_find(block), ==, segments[i]);
    bool stays = i != 1;
    if (!stays) CHECK(!mi_segment_table_remove(segments[i], size));
    CHECK_EQ(mi_segment_table_unpin(place), stays);
    CHECK_PTR(mi_segment_table_find(block), ==, stays ? segments[i] : NULL);
  }
  CHECK_PTR(mi_segment_table_pin(&place), ==, NULL);
  CHECK(mi_segment_table_try_remove((uint8_t*)segments[0] + 64));
  CHECK(mi_segment_table_remove(segments[0], size));
  CHECK(mi_segment_table_remove(segments[2], size));
  CHECK(mi_segment_table_remove(slot, MI_SEGMENT_SIZE));
  place = 0;
  CHECK_PTR(mi_segment_table_pin(&place), ==, NULL);
}

static void no_memory_for_a_leaf(void) {
  void* block = address((size_t)5 << 20);
  int64_t reserved = memory_gauges().reserved;
  mi_os_fail_from(1);
  CHECK(!mi_segment_table_add(block, block, 1));
  mi_os_fail_from(0);
  CHECK_EQ(memory_gauges().reserved, reserved);
  CHECK(mi_segment_table_add(block, block, 1));
  mi_segment_table_remove(block, 1);
}

/* Neighbours in the table by different threads, so that all of them make the same leaves. */
static void* add_many(void* arg) {
  size_t first = *(size_t*)arg;
  for (size_t i = 0; i < PER_THREAD; i++) {
    void* block = address(((size_t)9 << 20) + i * THREADS + first);
    CHECK(mi_segment_table_add(block, block, 1));
    CHECK_PTR(mi_segment_table_find(block), ==, block);
  }
  return NULL;
}

static void concurrent_adds(void) {
  pthread_t threads[THREADS];
  size_t first[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    first[i] = i;
    CHECK_EQ(pthread_create(&threads[i], NULL, add_many, &first[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < THREADS * PER_THREAD; i++) {
    void* block = address(((size_t)9 << 20) + i);
    CHECK_PTR(mi_segment_table_find(block), ==, block);
    mi_segment_table_remove(block, 1);
  }
}

int main(void) {
  chunks();
  one_entry();
  many_entries();
  pins();
  no_memory_for_a_leaf();
  concurrent_adds();
  return 0;
}
