#include "segment/reserve.h"

#include <errno.h>

#include "bits.h"
#include "options/report.h"
#include "segment/arena.h"
#include "segment/memory.h"

static void set_id(mi_arena_id_t* place, mi_arena_id_t id) {
  if (place != NULL) *place = id;
}

/* Makes an arena of memory from mi_memory_map, or gives the memory back. Returns 0 or ENOMEM. */
static int add_reserved(void* start, size_t size, mi_arena_t wanted, mi_arena_id_t* arena_id) {
  wanted.zero = true;
  mi_arena_t* arena = mi_arena_add(&wanted, start, size);
  if (arena == NULL) {
    mi_memory_unmap(start, size);
    return ENOMEM;
  }
  set_id(arena_id, arena->id);
  return 0;
}

int mi_reserve_memory(size_t size, bool commit, bool allow_large, bool exclusive,
                      mi_arena_id_t* arena_id) {
  set_id(arena_id, 0);
  if (size == 0 || size > MI_MAX_ALLOC_SIZE) return ENOMEM;
  int saved = errno;
  size = mi_align_up(size, MI_SEGMENT_SIZE);
  size_t align = size < MI_CHUNK_SIZE ? MI_SEGMENT_SIZE : MI_CHUNK_SIZE;
  mi_arena_t wanted = {.numa_node = -1, .exclusive = exclusive};
  void* start = NULL;
  if (allow_large) start = mi_memory_map(size, align, MI_MAP_LARGE);
  wanted.resident = start != NULL;
  if (start == NULL) {
    mi_map_t kind = commit ? MI_MAP_MEMORY : mi_memory_kind();
    wanted.uncommitted = kind == MI_MAP_RESERVED;
    start = mi_memory_map(size, align, kind);
    if (start != NULL) mi_memory_choose_pages(start, size, allow_large);
  }
  int error = start == NULL ? ENOMEM : add_reserved(start, size, wanted, arena_id);
  errno = saved;
  return error;
}

/* ---- Huge pages ---- */

static size_t numa_nodes(void) {
  long chosen = mi_option_get(mi_option_use_numa_nodes);
  return chosen > 0 ? (size_t)chosen : mi_os_numa_nodes();
}

int mi_reserve_huge_pages(size_t pages, int numa_node, size_t timeout_ms, bool exclusive,
                          mi_arena_id_t* arena_id, size_t* reserved) {
  set_id(arena_id, 0);
  *reserved = 0;
  if (pages == 0) return 0;
  int saved = errno;
  numa_node = numa_node < 0 ? -1 : (int)((size_t)numa_node % numa_nodes());
  mi_arena_t wanted = {.numa_node = numa_node, .exclusive = exclusive, .resident = true};
  size_t have;
  void* start = mi_memory_map_huge_pages(pages, numa_node, timeout_ms, &have);
  int error = ENOMEM;
  if (start != NULL) error = add_reserved(start, have * MI_OS_HUGE_PAGE, wanted, arena_id);
  if (error == 0) *reserved = have;
  if (*reserved < pages && mi_option_is_enabled(mi_option_verbose)) {
    mi_message("%zu of %zu huge pages reserved\n", *reserved, pages);
  }
  errno = saved;
  return error;
}

/* The same number of pages on each node, give or take one. Each node has the same share of the
   time. */
int mi_reserve_huge_pages_on(size_t nodes, size_t pages, size_t timeout_ms, size_t* reserved) {
  *reserved = 0;
  if (nodes == 0) nodes = numa_nodes();
  size_t share = timeout_ms == 0 ? 0 : timeout_ms / nodes + 1;
  for (size_t node = 0; node < nodes && node < pages; node++) {
    size_t wanted = pages / nodes + (node < pages % nodes);
    size_t here;
    int error = mi_reserve_huge_pages(wanted, (int)node, share, false, NULL, &here);
    if (error != 0) return error;
    *reserved += here;
  }
  return 0;
}

/* ---- When the process begins ---- */

void mi_reserve_as_options_say(void) {
  static _Atomic(bool) huge_done;
  static _Atomic(bool) memory_done;
  size_t pages = (size_t)mi_option_get(mi_option_reserve_huge_os_pages);
  if (pages > 0 && !atomic_exchange(&huge_done, true)) {
    enum { MS_PER_PAGE = 500 };
    long node = mi_option_get(mi_option_reserve_huge_os_pages_at);
    size_t timeout = pages * MS_PER_PAGE;
    size_t reserved;
    int error = node >= 0 ? mi_reserve_huge_pages(pages, (int)node, timeout, false, NULL, &reserved)
                          : mi_reserve_huge_pages_on(0, pages, timeout, &reserved);
    if (error != 0) mi_warning("reserve_huge_os_pages: there are not %zu huge pages\n", pages);
  }
  size_t size = mi_option_get_size(mi_option_reserve_os_memory);
  if (size > 0 && !atomic_exchange(&memory_done, true)) {
    bool large = mi_option_is_enabled(mi_option_allow_large_os_pages);
    if (mi_reserve_memory(size, true, large, false, NULL) != 0) {
      mi_warning("reserve_os_memory: there are not %zu bytes\n", size);
    }
  }
}
