/* The memory of arenas: when it is committed, what is known to be zero, what goes back to the system. */
#include <pthread.h>

#include "arena.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "resident.h"
#include "segment/large_pages.h"

static uint8_t* map(size_t size, int protection) {
  uint8_t* p = mmap(NULL, size + SLOT, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p + (SLOT - (uintptr_t)p % SLOT) % SLOT;
}

static area_t manage(void* start, size_t size, bool committed, bool large, bool zero) {
  mi_arena_id_t id;
  CHECK(mi_manage_os_memory_ex(start, size, committed, large, zero, 0, true, &id));
  area_t area = area_of(id);
  CHECK_PTR(area.start, ==, start);
  CHECK_EQ(area.size, size);
  return area;
}

/* Memory that nobody may touch, in chunks that are whole and ones that are not. */
static void uncommitted(bool eagerly) {
  mi_option_set_enabled(mi_option_eager_commit, eagerly);
  size_t size = 40 * MIB;
  area_t area = manage(map(size, PROT_NONE), size, false, false, true);
  CHECK_EQ(resident_in(area.start, area.size), 0);
  /* A pointer into what was never used is no block, and no crash either. */
  mi_option_disable(mi_option_show_errors);
#if !MI_DEBUG
  for (size_t i = 16; i < size; i += MIB) mi_free(area.start + i);
#endif
  mi_option_enable(mi_option_show_errors);
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  void* small = mi_heap_zalloc(heap, 5000);
  CHECK(area_has(area, small, 5000) && is_all_zero(small, 5000));
  CHECK_CMP(resident_in(area.start, area.size), <, MIB);
  void* huge = mi_heap_zalloc(heap, 9 * MIB);
  CHECK(is_all_zero(huge, 9 * MIB));
  memset(huge, 1, 9 * MIB);
  mi_free(huge);
  mi_free(small);
  fill_t fill = area_fill(area, heap, 100000);
  CHECK_CMP(fill.count, >, 300);
  fill_free(&fill, 1);
  mi_heap_destroy(heap);
  mi_collect(true);
  CHECK_EQ(resident_in(area.start, area.size), 0);
  heap = mi_heap_new_in_arena(area.id);
  fill = area_fill(area, heap, 3 * MIB);
  CHECK_EQ(fill.count, area.size / SLOT);
  mi_heap_destroy(heap);
  memory_check();
  mi_option_enable(mi_option_eager_commit);
}

/* The system does not commit: NULL, and all is as before. */
static void commit_fails(void) {
  area_t area = manage(map(8 * MIB, PROT_NONE), 8 * MIB, false, false, true);
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  mi_os_fail_from(1);
  errno = 0;
  CHECK_PTR(mi_heap_malloc(heap, 100), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  CHECK_PTR(mi_heap_malloc(heap, 5 * MIB), ==, NULL);
  mi_os_fail_from(0);
  memory_check();
  void* p = mi_heap_malloc(heap, 5 * MIB);
  CHECK(p != NULL);
  mi_heap_destroy(heap);
}

/* What was handed in with something in it, and may be a file's, is cleared for those who want that. */
static void not_zero(void) {
  size_t size = 8 * MIB;
  FILE* file = tmpfile();
  CHECK(file != NULL);
  CHECK_EQ(ftruncate(fileno(file), (off_t)size), 0);
  uint8_t* p = map(size, PROT_NONE);
  p = mmap(p, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fileno(file), 0);
  CHECK(p != MAP_FAILED);
  memset(p, 0xAA, size);
  area_t area = manage(p, size, true, false, false);
  for (int round = 0; round < 3; round++) {
    mi_heap_t* heap = mi_heap_new_in_arena(area.id);
    static const size_t sizes[] = {8, 1000, 20000, 50000, 500000, 3 * MIB};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
      for (int n = 0; n < 3; n++) {
        void* q = mi_heap_zalloc(heap, sizes[i]);
        if (q == NULL) break;
        CHECK(is_all_zero(q, sizes[i]));
        memset(q, 0xAA, sizes[i]);
      }
      if (sizes[i] > MIB) memory_check();
      mi_heap_destroy(heap);
      heap = mi_heap_new_in_arena(area.id);
    }
    mi_heap_destroy(heap);
    mi_collect(true); /* purged; the file still has what was written */
  }
  fclose(file);
}

static void purged(void) {
  area_t area = area_reserve(64 * MIB, true);
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  fill_t fill = area_fill(area, heap, 20000);
  CHECK_CMP(resident_in(area.start, area.size), >, 40 * MIB);
  fill_free(&fill, 1);
  mi_heap_collect(heap, true);
  CHECK_CMP(resident_in(area.start, area.size), <, MIB);
  void* huge = mi_heap_malloc(heap, 30 * MIB);
  memset(huge, 1, 30 * MIB);
  mi_free(huge);
  mi_heap_collect(heap, true);
  CHECK_CMP(resident_in(area.start, area.size), <, MIB);
  CHECK(mi_is_in_heap_region(huge));
  mi_heap_destroy(heap);
}

static void pinned_memory_stays(void) {
  size_t size = 12 * MIB;
  int64_t committed = memory_gauges().committed;
  area_t area = manage(map(size, PROT_READ | PROT_WRITE), size, true, true, true);
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  void* huge = mi_heap_zalloc(heap, 7 * MIB);
  memset(huge, 1, 7 * MIB);
  mi_free(huge);
  mi_collect(true);
  CHECK_CMP(resident_in(area.start, area.size), >=, 7 * MIB);
  CHECK_CMP(memory_gauges().committed - committed, >=, (int64_t)(7 * MIB));
  huge = mi_heap_zalloc(heap, 7 * MIB);
  CHECK(is_all_zero(huge, 7 * MIB));
  mi_heap_destroy(heap);
  mi_collect(true);
  memory_check();
}

static void huge_pages(void) {
  mi_arena_id_t id = 9;
  int64_t reserved = memory_gauges().reserved;
  size_t had = 9;
  errno = 7;
  CHECK_EQ(mi_reserve_huge_os_pages_at_ex(0, 0, 0, false, &id), 0);
  CHECK_EQ(id, 0);
  CHECK_EQ(mi_reserve_huge_os_pages_interleave(0, 0, 0), 0);
  /* More than any machine has. */
  CHECK_EQ(mi_reserve_huge_os_pages_at_ex(SIZE_MAX / 2, -1, 10, false, &id), ENOMEM);
  CHECK_EQ(mi_reserve_huge_os_pages(SIZE_MAX, 0.1, &had), ENOMEM);
  CHECK_EQ(had, 0);
  CHECK_EQ(id, 0);
  mi_os_fail_from(2); /* the addresses, but no page */
  CHECK_EQ(mi_reserve_huge_os_pages_at(2, 0, 100), ENOMEM);
  mi_os_fail_from(0);
  CHECK_EQ(memory_gauges().reserved, reserved);
  /* From here on they are ordinary memory that passes for huge pages. */
  if (TEST_SLOWNESS > 1) return; /* sanitizers need too much beside */
  mi_os_offer_huge_pages(2);     /* of three, two are there at least */
  CHECK_EQ(mi_reserve_huge_os_pages_at_ex(3, 5, 0, true, &id), 0);
  area_t area = area_of(id);
  CHECK_CMP(area.size, >=, 2048 * MIB);
  CHECK_EQ((uintptr_t)area.start % (1024 * MIB), 0);
  CHECK_CMP(memory_gauges().reserved - reserved, >=, (int64_t)area.size);
  CHECK_CMP(memory_gauges().reserved - reserved, <, (int64_t)(area.size + 2 * MIB));
  mi_heap_t* heap = mi_heap_new_in_arena(id);
  void* p = mi_heap_malloc(heap, 1030 * MIB);
  CHECK(area_has(area, p, 1030 * MIB));
  mi_heap_destroy(heap);
  mi_os_offer_huge_pages(5);
  CHECK_EQ(mi_reserve_huge_os_pages_interleave(3, 2, 1000), 0);
  CHECK_EQ(mi_reserve_huge_os_pages(2, 10, &had), 0);
  CHECK_EQ(had, 2);
  CHECK_EQ(errno, 7);
  /* These are shared. */
  reserved = memory_gauges().reserved;
  p = mi_malloc(70 * MIB);
  CHECK_CMP(memory_gauges().reserved - reserved, <, (int64_t)(2 * MIB));
  mi_free(p);
}

static void* free_and_collect(void* p) {
  mi_free(p);
  mi_collect(true);
  return NULL;
}

/* A run in an arena goes on in the next chunks. Another thread frees it, and purges it before its owner looks. */
static void purged_across_chunks(void) {
  mi_arena_id_t id;
  CHECK_EQ(mi_reserve_os_memory_ex(1024 * MIB, false, false, true, &id), 0);
  mi_heap_t* heap = mi_heap_new_in_arena(id);
  size_t requests = mi_large_pages_requests;
  void* p = mi_heap_malloc(heap, 600 * MIB);
  CHECK(p != NULL);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_and_collect, p), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(mi_large_pages_requests, requests);
  for (size_t i = 0; i < mi_chunk_count(); i++) CHECK_EQ(mi_chunk_at(i)->number, i);
  mi_heap_destroy(heap);
}

int main(void) {
  mi_os_forbid_large_pages();
  mi_option_set(mi_option_purge_delay, 0);
  uncommitted(true);
  uncommitted(false);
  commit_fails();
  not_zero();
  purged();
  pinned_memory_stays();
  huge_pages();
  purged_across_chunks();
  memory_check();
  return 0;
}
