#include "segment/clear.h"

#include <string.h>

#include "os/os.h"
#include "segment/large_pages.h"

/* What the system is asked about, and is cleared or given back, at a time. */
#define PART MI_OS_LARGE_PAGE

static uint8_t* end_of_part(uint8_t* from, uint8_t* to) {
  return (size_t)(to - from) > PART ? from + PART : to;
}

/* Bytes that are resident of a part. */
static size_t resident_in(uint8_t* from, uint8_t* end) {
  unsigned char pages[PART / MI_OS_LEAST_PAGE];
  size_t size = (size_t)(end - from);
  if (!mi_os_resident(from, size, pages)) return size; /* unknown: it is cleared */
  size_t resident = 0;
  for (size_t i = 0; i < size / mi_os_page_size(); i++) resident += pages[i] & 1;
  return resident * mi_os_page_size();
}

static bool is_sparse(size_t resident, size_t size) { return resident < size / 2; }

/* Asks no longer than it takes to know. */
static bool all_is_sparse(uint8_t* from, uint8_t* to) {
  size_t size = (size_t)(to - from);
  size_t resident = 0;
  for (uint8_t* end; from < to && is_sparse(resident, size); from = end) {
    end = end_of_part(from, to);
    resident += resident_in(from, end);
  }
  return is_sparse(resident, size);
}

static void purge_or_clear(mi_slot_ref_t slot, uint8_t* from, uint8_t* to) {
  if (slot.chunk != NULL) mi_large_pages_end_between(slot, from, to);
  size_t size = (size_t)(to - from);
  if (mi_os_purge(from, size, true) != MI_PURGE_ZEROED) memset(from, 0, size);
}

/* If all of it is sparse, all goes. A block that is used here now, and there the next time, would
   otherwise become resident part by part. */
void mi_clear_used(mi_slot_ref_t slot, uint8_t* from, uint8_t* to) {
  if (all_is_sparse(from, to)) {
    purge_or_clear(slot, from, to);
    return;
  }
  for (uint8_t* end; from < to; from = end) {
    end = end_of_part(from, to);
    size_t size = (size_t)(end - from);
    if (is_sparse(resident_in(from, end), size)) {
      purge_or_clear(slot, from, end);
    } else {
      memset(from, 0, size);
    }
  }
}
