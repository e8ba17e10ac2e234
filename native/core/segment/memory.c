#include "segment/memory.h"

#include "bits.h"
#include "segment/pace.h"
#include "segment/track.h"
#include "stats/stats.h"

void* mi_memory_map(size_t size, size_t align, mi_map_t kind) {
  void* p = mi_os_map(size, align, kind);
  if (p != NULL) {
    mi_stat_up(reserved, size);
    mi_stat_count(mmap_calls, 1);
  }
  return p;
}

void* mi_memory_map_for_blocks(size_t size, size_t align, mi_map_t kind) {
  if (mi_option_is_enabled(mi_option_disallow_os_alloc)) return NULL;
  return mi_memory_map(size, align, kind);
}

void mi_memory_choose_pages(void* p, size_t size, bool large) {
  if (large) {
    mi_os_prefer_large_pages(p, size);
  } else {
    mi_os_avoid_large_pages(p, size);
  }
}

mi_map_t mi_memory_kind(void) {
  long eager = mi_option_get(mi_option_arena_eager_commit);
  if (eager == 1) return MI_MAP_MEMORY;
  return eager == 0 || !mi_os_overcommits() ? MI_MAP_RESERVED : MI_MAP_ADDRESSES;
}

void* mi_memory_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped) {
  void* p = mi_os_map_huge_pages(count, numa_node, timeout_ms, mapped);
  mi_stat_up(reserved, *mapped * MI_OS_HUGE_PAGE);
  mi_stat_count(mmap_calls, 1 + *mapped);
  return p;
}

void mi_memory_unmap(void* p, size_t size) {
  mi_os_track_open(p, size); /* what is mapped here next is not ours */
  mi_os_unmap(p, size);
  mi_stat_down(reserved, size);
}

mi_purge_result_t mi_memory_purge(void* p, size_t size) {
  bool decommit = mi_option_is_enabled(mi_option_purge_decommits) &&
                  !mi_option_is_enabled(mi_option_page_reset);
  mi_purge_result_t result = mi_os_purge(p, size, decommit);
  if (result != MI_PURGE_FAILED) {
    mi_stat_count(purge_calls, 1);
    mi_stat_count(purged, size);
  }
  if (result == MI_PURGE_ZEROED) mi_pace_purged(size, mi_os_now());
  if (result == MI_PURGE_RESET) {
    mi_stat_count(reset_calls, 1);
    mi_stat_count(reset, size);
  }
  return result;
}

void mi_memory_purge_inside(void* from, void* to) {
  uintptr_t first = mi_align_up((uintptr_t)from, mi_os_page_size());
  uintptr_t end = mi_align_down((uintptr_t)to, mi_os_page_size());
  if (first < end) mi_memory_purge((void*)first, end - first);
}
