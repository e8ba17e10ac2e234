#include "segment/mapping.h"

#include "os/track.h"
#include "segment/memory.h"
#include "stats/stats.h"

void mi_mapping_unmap(mi_mapping_t mapping) {
  mi_memory_unmap(mapping.start, mapping.size);
  mi_stat_down(committed, mapping.size);
}

/* Moves the memory to a longer mapping. That moves no contents: the tables of whole 2 MiB go over
   to other addresses. */
static uint8_t* move(mi_mapping_t mapping, size_t size) {
  uint8_t* target = mi_memory_map_for_blocks(size, MI_SEGMENT_SIZE, MI_MAP_MEMORY);
  if (target == NULL) return NULL;
  mi_os_track_open(mapping.start, mapping.size); /* what is mapped there next is not ours */
  if (mi_os_move(mapping.start, mapping.size, target, size)) return target;
  mi_memory_unmap(target, size);
  return NULL;
}

static mi_mapping_t grow(mi_mapping_t mapping, size_t size) {
  mi_mapping_t grown = {mapping.start, size};
  if (mi_option_is_enabled(mi_option_disallow_os_alloc)) return (mi_mapping_t){NULL, 0};
  if (mi_os_resize(mapping.start, mapping.size, size)) {
    mi_stat_up(reserved, size - mapping.size);
  } else {
    grown.start = move(mapping, size);
    if (grown.start == NULL) return (mi_mapping_t){NULL, 0};
    mi_stat_down(reserved, mapping.size);
  }
  mi_stat_up(committed, size - mapping.size);
  mi_stat_count(commit_calls, 1);
  return grown;
}

mi_mapping_t mi_mapping_refit(mi_mapping_t mapping, size_t size) {
  if (size > mapping.size) {
    mi_mapping_t grown = grow(mapping, size);
    if (grown.start == NULL) mi_mapping_unmap(mapping);
    return grown;
  }
  if (size < mapping.size) {
    mi_mapping_unmap((mi_mapping_t){mapping.start + size, mapping.size - size});
  }
  return (mi_mapping_t){mapping.start, size};
}
