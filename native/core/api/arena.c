/* Memory that the program hands in or reserves, and looks at arenas. */
#include "segment/arena.h"

#include "segment/map.h"
#include "segment/reserve.h"
#include "stats/stats.h"

/* ---- Handed in ---- */

bool mi_manage_os_memory_ex(void* start, size_t size, bool is_committed, bool is_large,
                            bool is_zero, int numa_node, bool exclusive, mi_arena_id_t* arena_id)
    mi_attr_noexcept {
  mi_arena_t wanted = {
      .numa_node = numa_node,
      .exclusive = exclusive,
      .resident = is_large,
      .uncommitted = !is_committed,
      .foreign = true,
      .zero = is_zero,
  };
  const mi_arena_t* arena = mi_arena_add(&wanted, start, size);
  if (arena_id != NULL) *arena_id = arena == NULL ? 0 : arena->id;
  if (arena == NULL) return false;
  mi_stat_up(reserved, arena->slot_count << MI_SEGMENT_SHIFT);
  return true;
}

bool mi_manage_os_memory(void* start, size_t size, bool is_committed, bool is_large, bool is_zero,
                         int numa_node) mi_attr_noexcept {
  return mi_manage_os_memory_ex(start, size, is_committed, is_large, is_zero, numa_node, false,
                                NULL);
}

/* ---- Reserved ---- */

int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large, bool exclusive,
                            mi_arena_id_t* arena_id) mi_attr_noexcept {
  return mi_reserve_memory(size, commit, allow_large, exclusive, arena_id);
}
int mi_reserve_os_memory(size_t size, bool commit, bool allow_large) mi_attr_noexcept {
  return mi_reserve_memory(size, commit, allow_large, false, NULL);
}

int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                   bool exclusive, mi_arena_id_t* arena_id) mi_attr_noexcept {
  size_t reserved;
  return mi_reserve_huge_pages(pages, numa_node, timeout_msecs, exclusive, arena_id, &reserved);
}
int mi_reserve_huge_os_pages_at(size_t pages, int numa_node, size_t timeout_msecs)
    mi_attr_noexcept {
  return mi_reserve_huge_os_pages_at_ex(pages, numa_node, timeout_msecs, false, NULL);
}

int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes, size_t timeout_msecs)
    mi_attr_noexcept {
  size_t reserved;
  return mi_reserve_huge_pages_on(numa_nodes, pages, timeout_msecs, &reserved);
}

int mi_reserve_huge_os_pages(size_t pages, double max_secs, size_t* pages_reserved)
    mi_attr_noexcept {
  size_t reserved;
  /* In ms, never 0: that would be for ever. */
  size_t timeout = max_secs > 0 && max_secs < 1e9 ? (size_t)(max_secs * 1000) + 1 : 0;
  int error = mi_reserve_huge_pages_on(0, pages, timeout, &reserved);
  if (pages_reserved != NULL) *pages_reserved = reserved;
  return error;
}

/* ---- Looking ---- */

size_t mi_arena_min_alignment(void) mi_attr_noexcept { return MI_SEGMENT_SIZE; }

void* mi_arena_area(mi_arena_id_t arena_id, size_t* size) mi_attr_noexcept {
  const mi_arena_t* arena = mi_arena_with_id(arena_id);
  if (size != NULL) *size = arena == NULL ? 0 : arena->slot_count << MI_SEGMENT_SHIFT;
  return arena == NULL ? NULL : arena->start;
}

void mi_arenas_print(void) mi_attr_noexcept { mi_arenas_print_to(NULL, NULL); }
void mi_debug_show_arenas(void) mi_attr_noexcept { mi_arenas_print(); }

bool mi_is_in_heap_region(const void* p) mi_attr_noexcept {
  return mi_is_in_chunk(p) || mi_segment_table_covers(p) || mi_is_in_arena(p);
}
