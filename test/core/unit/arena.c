/* Arenas: what may be one, who gets its memory, and that nothing else does. */
#include "arena.h"
#include "memory.h"
#include "resident.h"

static char text[1000];

static void take_text(const char* msg, void* arg) {
  (void)arg;
  size_t used = strlen(text);
  snprintf(text + used, sizeof(text) - used, "%s", msg);
}

static void expect_warning(const char* what) {
  if (strstr(text, what) == NULL) fprintf(stderr, "it says: \"%s\"\n", text);
  CHECK(strstr(text, what) != NULL);
  CHECK(strchr(text, '\n') == strrchr(text, '\n')); /* one line */
  text[0] = 0;
}

static uint8_t* map(size_t size, int protection) {
  void* p = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static bool manage(void* start, size_t size) {
  mi_arena_id_t id = 77;
  bool done = mi_manage_os_memory_ex(start, size, true, false, true, -1, true, &id);
  CHECK_EQ(done, id > 0);
  CHECK(done || id == 0);
  return done;
}

static void refused(void) {
  memory_t before = memory_gauges();
  mi_register_output(take_text, NULL);
  uint8_t* memory = map(12 * MIB, PROT_READ | PROT_WRITE);
  uint8_t* slot = (uint8_t*)(((uintptr_t)memory + SLOT) / SLOT * SLOT);
  const char* size = "it must hold 4 MiB at a multiple of 4 MiB";
  CHECK(!manage(NULL, 64 * MIB));
  expect_warning(size);
  CHECK(!manage(slot, 0));
  expect_warning(size);
  CHECK(!manage(slot, SLOT - 1));
  expect_warning(size);
  CHECK(!manage(slot + 1, SLOT));
  expect_warning(size);
  CHECK(!manage(slot, SIZE_MAX));
  expect_warning(size);
  CHECK(!manage((void*)(UINTPTR_MAX - 100), 50));
  expect_warning(size);
  CHECK(!manage((void*)((uintptr_t)1 << 50), SLOT));
  const char* nowhere = "the process has no memory there";
  expect_warning(nowhere);
  CHECK(!manage(slot, PTRDIFF_MAX));
  expect_warning(nowhere);
  CHECK(!manage((void*)(((uintptr_t)1 << 47) - 2 * SLOT),
                4 * SLOT)); /* it ends where a process does */
  expect_warning(nowhere);
  /* A hole: what lies in front of it is as it was. */
  uint8_t* most = map(12 * MIB, PROT_READ | PROT_WRITE);
  CHECK_EQ(munmap(most + 5 * MIB, MIB), 0);
  for (int committed = 0; committed < 2; committed++) {
    CHECK(!mi_manage_os_memory(most, 12 * MIB, committed, false, true, -1));
    expect_warning(nowhere);
    memset(most, 1, 5 * MIB);
  }
  CHECK_EQ(memory_gauges().reserved, before.reserved);
  CHECK(manage(slot, SLOT));
  /* It, and descriptors. */
  CHECK_CMP(memory_gauges().reserved - before.reserved, >=, (int64_t)SLOT);
  CHECK_CMP(memory_gauges().reserved - before.reserved, <, (int64_t)(SLOT + MIB));
  const char* twice = "some of it is miheap's already";
  CHECK(!manage(slot, SLOT));
  expect_warning(twice);
  CHECK(!manage(memory, 12 * MIB));
  expect_warning(twice);
  /* Neither memory that a block is in. */
  void* huge = mi_malloc(20 * MIB);
  CHECK(!manage(huge, 20 * MIB));
  expect_warning(twice);
  mi_free(huge);
  void* small = mi_malloc(100);
  CHECK(!manage((void*)((uintptr_t)small / SLOT * SLOT), SLOT));
  expect_warning(twice);
  mi_free(small);
  mi_register_output(NULL, NULL);
  CHECK_STR(text, "");
}

static void no_such_arena(void) {
  size_t size = 1;
  mi_register_output(take_text, NULL);
  for (int id = -1; id < 1000; id += 77) {
    CHECK_PTR(mi_arena_area(id, &size), ==, NULL);
    CHECK_EQ(size, 0);
    errno = 0;
    CHECK_PTR(mi_heap_new_in_arena(id), ==, NULL);
    CHECK_EQ(errno, EINVAL);
    expect_warning("no arena");
  }
  mi_register_output(NULL, NULL);
  mi_heap_t* ordinary = mi_heap_new_in_arena(0);
  CHECK(ordinary != NULL);
  mi_heap_destroy(ordinary);
  mi_arena_id_t id = 5;
  CHECK_EQ(mi_reserve_os_memory_ex(0, true, false, false, &id), ENOMEM);
  CHECK_EQ(mi_reserve_os_memory_ex(SIZE_MAX, true, false, false, &id), ENOMEM);
  CHECK_EQ(mi_reserve_os_memory(PTRDIFF_MAX, false, true), ENOMEM);
  CHECK_EQ(id, 0);
}

/* Not aligned to anything; only whole slots are used. */
static char static_memory[19 << 20];

static void static_arena(void) {
  mi_arena_id_t id;
  CHECK(mi_manage_os_memory_ex(static_memory, sizeof(static_memory), true, false, true, 0, true,
                               &id));
  area_t area = area_of(id);
  CHECK_PTR((char*)area.start, >=, static_memory);
  CHECK_PTR((char*)area.start + area.size, <=, static_memory + sizeof(static_memory));
  CHECK_CMP(area.size, >=, 12 * MIB);
  mi_heap_t* heap = mi_heap_new_in_arena(id);
  fill_t fill = area_fill(area, heap, 10000);
  CHECK_CMP(fill.count * 10240, >=, area.size * 9 / 10);
  memory_check();
  fill_free(&fill, 1);
  mi_heap_destroy(heap);
}

/* Of each kind of page, and huge. Sizes that waste little, since we count. */
static void filled_and_filled_again(area_t area) {
  static const size_t sizes[] = {16, 1024, 8192, 65536, MIB, 2 * MIB, 3 * MIB, 7 * MIB};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    size_t size = sizes[i];
    if (TEST_VARIANT_CHECKED && size < 8192) continue; /* it walks all blocks again and again */
    mi_heap_t* heap = mi_heap_new_in_arena(area.id);
    fill_t first = area_fill(area, heap, size);
    CHECK_CMP(first.count * size, >=, area.size / 10 * (size < MIB ? 8 : 4));
    memory_check();
    /* One comes back, one can be had. */
    void** block = first.last;
    first.last = block[0];
    mi_free(block);
    fill_add(&first, mi_heap_zalloc(heap, size));
    CHECK_PTR(mi_heap_malloc(heap, size), ==, NULL);
    fill_free(&first, 1);
    fill_t second = area_fill(area, heap, size);
    CHECK_CMP(second.count + 1, >=, first.count);
    mi_heap_destroy(heap);
    memory_check();
    heap = mi_heap_new_in_arena(area.id);
    fill_t third = area_fill(area, heap, size);
    CHECK_EQ(third.count, second.count);
    mi_heap_destroy(heap);
  }
}

static void only_its_heaps(area_t area) {
  mi_heap_t* inside = mi_heap_new_in_arena(area.id);
  void* p = mi_heap_malloc(inside, 100);
  CHECK(area_has(area, p, 100));
  for (size_t size = 8; size < 30 * MIB; size = size * 3 / 2) {
    void* outside = mi_malloc(size);
    CHECK(!area_has(area, outside, 1));
    mi_free(outside);
  }
  /* A heap of it as the thread's default heap. */
  mi_heap_t* before = mi_heap_set_default(inside);
  for (size_t size = 8; size < 16 * MIB; size = size * 3 / 2) {
    void* q = mi_malloc(size);
    CHECK(area_has(area, q, size));
    void* larger = mi_realloc(q, size * 2);
    CHECK(larger == NULL || area_has(area, larger, size * 2));
    mi_free(larger == NULL ? q : larger);
  }
  mi_heap_set_default(before);
  mi_free(p);
  mi_heap_delete(inside);
}

static void huge_blocks(area_t area) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int64_t huge = memory_gauges().huge;
  uint8_t* all = mi_heap_malloc(heap, area.size - 64 * 1024);
  CHECK(all != NULL);
  CHECK(area_has(area, all, area.size - 64 * 1024));
  CHECK_CMP(mi_usable_size(all), >=, area.size - 64 * 1024);
  CHECK_CMP(memory_gauges().huge - huge, >=, (int64_t)(area.size - 64 * 1024));
  all[0] = all[area.size - 64 * 1024 - 1] = 1;
  CHECK_PTR(mi_heap_malloc(heap, 1), ==, NULL);
  memory_check();
  /* In place, within its slots; and elsewhere, when it no longer needs so many. */
  CHECK_PTR(mi_heap_realloc(heap, all, area.size - 2 * MIB), ==, all);
  CHECK_PTR(mi_heap_realloc(heap, all, area.size - 1 * MIB), ==, all);
  CHECK_PTR(mi_heap_realloc(heap, all, area.size), ==, NULL);
  CHECK_EQ(all[0], 1);
  mi_free(all);
  CHECK_EQ(memory_gauges().huge, huge);
  CHECK_PTR(mi_heap_malloc(heap, area.size), ==, NULL);
  for (size_t align = page; align < SLOT; align *= 2) {
    void* p = mi_heap_zalloc_aligned(heap, 5 * MIB, align);
    CHECK(p != NULL && area_has(area, p, 5 * MIB));
    CHECK_EQ((uintptr_t)p % align, 0);
    CHECK(is_all_zero(p, 5 * MIB));
    memset(p, 1, 5 * MIB);
    mi_free(p);
  }
  for (size_t align = SLOT; align < 1024 * MIB; align *= 4) {
    errno = 0;
    CHECK_PTR(mi_heap_malloc_aligned(heap, 5 * MIB, align), ==, NULL);
    CHECK_EQ(errno, ENOMEM);
  }
  /* Holes of one slot do not make room for two. */
  fill_t fill = area_fill(area, heap, 3 * MIB);
  CHECK_EQ(fill.count, area.size / SLOT);
  fill_free(&fill, 2);
  memory_check();
  CHECK_PTR(mi_heap_malloc(heap, 5 * MIB), ==, NULL);
  void* p = mi_heap_malloc(heap, 3 * MIB);
  CHECK(p != NULL);
  mi_free(p);
  fill_free(&fill, 1);
  p = mi_heap_malloc(heap, 5 * MIB);
  CHECK(p != NULL);
  mi_heap_destroy(heap);
  memory_check();
}

/* What a block gives up as it shrinks is there for others; it does not move, nor if it grows again. */
static void resizing(area_t area) {
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  uint8_t* p = mi_heap_malloc(heap, 36 * MIB);
  CHECK(p != NULL);
  CHECK_PTR(mi_heap_malloc(heap, 20 * MIB), ==, NULL);
  pattern_fill(p, 2500000, 1);
  CHECK_PTR(mi_heap_realloc(heap, p, 3 * MIB), ==, p);
  void* other = mi_heap_malloc(heap, 20 * MIB);
  CHECK(other != NULL);
  memory_check();
  CHECK_PTR(mi_heap_realloc(heap, p, 2500000), ==, p); /* no whole slot less */
  CHECK_PTR(mi_heap_realloc(heap, p, 30 * MIB), ==, NULL);
  CHECK(pattern_holds(p, 2500000, 1));
  memory_check();
  mi_free(other);
  size_t usable = mi_usable_size(p);
  memset(p, 1, usable);
  CHECK_PTR(mi_heap_rezalloc(heap, p, 36 * MIB), ==, p);
  CHECK(is_all_zero(p + usable, 36 * MIB - usable));
  pattern_fill(p, 36 * MIB, 2);
  CHECK_PTR(mi_heap_realloc(heap, p, 60 * MIB), ==, NULL); /* the arena ends there */
  CHECK_PTR(mi_heap_malloc(heap, 6 * MIB), ==, NULL);
  memory_check();
  /* A smaller block would be elsewhere, but there is no room. */
  void* last = mi_heap_malloc(heap, 3 * MIB);
  CHECK(last != NULL);
  CHECK_PTR(mi_heap_realloc(heap, p, 1 * MIB), ==, p);
  CHECK(pattern_holds_prefix(p, 1 * MIB, 36 * MIB, 2));
  other = mi_heap_malloc(heap, 20 * MIB);
  CHECK(other != NULL);
  memory_check();
  mi_free(p);
  mi_free(last);
  mi_free(other);
  mi_heap_delete(heap);
}

/* What is shared is used before more is asked of the system. */
static void shared(void) {
  void* warm = mi_malloc(100);
  area_t area = area_reserve(40 * MIB, false);
  memory_t before = memory_gauges();
  void* huge = mi_malloc(9 * MIB);
  CHECK(area_has(area, huge, 9 * MIB));
  void* blocks[64];
  size_t count = 0;
  size_t inside = 0;
  while (memory_gauges().reserved == before.reserved) {
    CHECK_CMP(count, <, 64);
    blocks[count] = mi_malloc(MIB);
    inside += area_has(area, blocks[count++], MIB);
  }
  CHECK_CMP(inside, >=, (40 - 12) / 2); /* two in a slot, by their header */
  memory_check();
  while (count > 0) mi_free(blocks[--count]);
  /* A heap may be made for it too. */
  mi_heap_t* heap = mi_heap_new_in_arena(area.id);
  fill_t fill = area_fill(area, heap, 500000);
  CHECK_CMP(fill.count, >, 20);
  void* elsewhere = mi_malloc(20 * MIB);
  CHECK(elsewhere != NULL && !area_has(area, elsewhere, 1));
  mi_free(elsewhere);
  mi_heap_destroy(heap);
  mi_option_enable(mi_option_disallow_arena_alloc);
  void* p = mi_malloc(9 * MIB);
  CHECK(!area_has(area, p, 1));
  mi_free(p);
  mi_option_disable(mi_option_disallow_arena_alloc);
  mi_free(huge);
  /* Nothing but arenas: everything works until they are full. */
  mi_option_enable(mi_option_disallow_os_alloc);
  p = mi_malloc(9 * MIB);
  CHECK(area_has(area, p, 9 * MIB));
  CHECK_PTR(mi_malloc(60 * MIB), ==, NULL);
  mi_free(p);
  mi_option_disable(mi_option_disallow_os_alloc);
  mi_free(warm);
}

static void regions(area_t area) {
  int local;
  CHECK(!mi_is_in_heap_region(NULL));
  CHECK(!mi_is_in_heap_region(&local));
  CHECK(!mi_is_in_heap_region(text));
  CHECK(!mi_is_in_heap_region((void*)UINTPTR_MAX));
  CHECK(!mi_is_in_heap_region((void*)((uintptr_t)1 << 47)));
  for (size_t i = 0; i < area.size; i += 12345) CHECK(mi_is_in_heap_region(area.start + i));
  CHECK(!mi_is_in_heap_region(area.start + area.size));
  for (size_t size = 1; size <= 300 * MIB; size = size * 3 + 1) {
    uint8_t* p = mi_malloc(size);
    CHECK(mi_is_in_heap_region(p));
    CHECK(mi_is_in_heap_region(p + size / 2));
    CHECK(mi_is_in_heap_region(p + size - 1));
    mi_free(p);
  }
  uint8_t* aligned = mi_malloc_aligned(50 * MIB, 64 * MIB);
  CHECK(mi_is_in_heap_region(aligned));
  CHECK(mi_is_in_heap_region(aligned + 30 * MIB));
  aligned = mi_realloc(aligned, 90 * MIB);
  CHECK(mi_is_in_heap_region(aligned + 80 * MIB));
  uint8_t* beyond = aligned + mi_usable_size(aligned);
  CHECK(!mi_is_in_heap_region(beyond));
  mi_free(aligned);
  mi_collect(true);
  CHECK(!mi_is_in_heap_region(aligned + 30 * MIB));
}

static void printed(area_t area) {
  char expected[100];
  mi_register_output(take_text, NULL);
  mi_arenas_print();
  mi_register_output(NULL, NULL);
  snprintf(expected, sizeof(expected), "arena %d: %p, %zu MiB, 0 MiB in use, exclusive,", area.id,
           (void*)area.start, area.size / MIB);
  CHECK(strstr(text, expected) != NULL);
  text[0] = 0;
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 0);
  memory_t start = memory_gauges();
  refused();
  no_such_arena();
  static_arena();
  area_t area = area_reserve(44 * MIB, true);
  CHECK_EQ((uintptr_t)area.start % (32 * MIB), 0);
  filled_and_filled_again(area);
  only_its_heaps(area);
  huge_blocks(area);
  resizing(area);
  regions(area);
  printed(area);
  shared();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, start.huge);
  CHECK_EQ(memory_gauges().segments, start.segments);
  return 0;
}
