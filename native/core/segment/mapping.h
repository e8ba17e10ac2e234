/* Mappings of huge segments, each on a segment boundary. A mapping belongs to the thread that has
   it. */
#ifndef MI_MAPPING_H
#define MI_MAPPING_H

#include "types.h"

typedef struct mi_mapping_s {
  uint8_t* start; /* NULL: there is none */
  size_t size;
} mi_mapping_t;

/* Whether a mapping of `size` bytes would waste too much as one of `needed` bytes, which is not
   more. */
mi_inline bool mi_mapping_is_too_long(size_t size, size_t needed) {
  return size - needed > needed / 8;
}

/* Returns a mapping to the system at once. */
void mi_mapping_unmap(mi_mapping_t mapping);

/* Makes a mapping of `size` bytes out of another one, as much of whose memory as possible stays.
   Its contents are undefined. If the system refuses that, the mapping is unmapped, and there is
   none. */
mi_mapping_t mi_mapping_refit(mi_mapping_t mapping, size_t size);

#endif
