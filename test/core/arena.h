/* Arenas under test, and blocks that fill them. */
#ifndef MI_TEST_ARENA_H
#define MI_TEST_ARENA_H

#include "check.h"
#include "miheap.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)
#define SLOT (4 * MIB)

/* The memory of an arena. */
typedef struct area_s {
  mi_arena_id_t id;
  uint8_t* start;
  size_t size;
} area_t;

static inline area_t area_of(mi_arena_id_t id) {
  area_t area = {id, NULL, 0};
  area.start = mi_arena_area(id, &area.size);
  CHECK(area.start != NULL);
  CHECK_EQ((uintptr_t)area.start % SLOT, 0);
  CHECK_EQ(area.size % SLOT, 0);
  return area;
}

/* Has an arena of at least `size` bytes reserved. */
static inline area_t area_reserve(size_t size, bool exclusive) {
  mi_arena_id_t id = -1;
  CHECK_EQ(mi_reserve_os_memory_ex(size, false, false, exclusive, &id), 0);
  CHECK_CMP(id, >, 0);
  area_t area = area_of(id);
  CHECK_EQ(area.size, (size + SLOT - 1) / SLOT * SLOT);
  return area;
}

/* Whether all `size` bytes from p on lie in the area. */
static inline bool area_has(area_t area, const void* p, size_t size) {
  const uint8_t* bytes = p;
  return bytes >= area.start && bytes + size <= area.start + area.size;
}

/* Blocks of one size, linked through their first words. The second word of each holds its number,
   which seeds the pattern in the rest. */
typedef struct fill_s {
  void** last;
  size_t count;
  size_t size;
} fill_t;

/* Adds a new block. */
static inline void fill_add(fill_t* fill, void* p) {
  pattern_fill(p, fill->size, fill->count);
  void** block = p;
  block[0] = fill->last;
  block[1] = (void*)fill->count++;
  fill->last = block;
}

/* Allocates blocks until the heap is out of memory, and checks that each lies in the area. */
static inline fill_t area_fill(area_t area, mi_heap_t* heap, size_t size) {
  fill_t fill = {NULL, 0, size};
  void* p;
  errno = 0;
  while ((p = mi_heap_malloc(heap, size)) != NULL) {
    CHECK(area_has(area, p, size));
    CHECK_CMP(fill.count, <=, area.size / size);
    fill_add(&fill, p);
  }
  CHECK_EQ(errno, ENOMEM);
  return fill;
}

/* Checks the contents of all blocks and frees every n-th one, starting with the last. */
static inline void fill_free(fill_t* fill, size_t n) {
  void** kept = NULL;
  size_t kept_count = 0;
  size_t seen = 0;
  while (fill->last != NULL) {
    void** block = fill->last;
    fill->last = block[0];
    size_t number = (size_t)block[1];
    uint8_t* rest = (uint8_t*)(block + 2);
    for (size_t i = 16; i < fill->size; i = pattern_next(i, fill->size)) {
      CHECK_EQ(rest[i - 16], pattern_byte(number, i));
    }
    if (seen++ % n == 0) {
      mi_free(block);
    } else {
      block[0] = kept;
      kept = block;
      kept_count++;
    }
  }
  fill->last = kept;
  fill->count = kept_count;
}

#endif
