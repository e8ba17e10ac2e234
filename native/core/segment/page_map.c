#include "segment/page_map.h"

#include "bits.h"
#include "os/os.h"
#include "os/track.h"
#include "segment/memory.h"

/* Every free reads these. They lie among the options, which are hardly ever written. */
#define RARELY_WRITTEN __attribute__((section(".data.mi_page_map")))
RARELY_WRITTEN uint8_t* mi_page_map;
RARELY_WRITTEN uintptr_t mi_page_map_start;
RARELY_WRITTEN size_t mi_page_map_units;

#define MOST_ADDRESSES ((size_t)1 << 38)
#define LEAST_ADDRESSES ((size_t)1 << 30)
/* The largest window where the whole table counts as memory of the process. */
#define MOST_COUNTED ((size_t)1 << 33)

static size_t table_size(size_t units) { return sizeof(mi_page_t) + units * sizeof(uintptr_t); }

void mi_page_map_make(void) {
  if (MI_CHECKED || MI_TRACK || mi_page_map_units != 0) return;
  size_t addresses = mi_memory_kind() == MI_MAP_RESERVED ? MOST_COUNTED : MOST_ADDRESSES;
  /* The table is an 8192nd of the window. */
  while (addresses > LEAST_ADDRESSES && addresses / 2 >= mi_os_address_limit()) addresses /= 2;
  size_t units = addresses >> MI_UNIT_SHIFT;
  /* Not counted as reserved: hardly any of it will be touched. */
  uint8_t* base = mi_os_map(table_size(units), _Alignof(mi_page_t), MI_MAP_ADDRESSES);
  if (base == NULL) return;
  mi_os_avoid_large_pages(base, table_size(units));
  mi_page_map = base;
  mi_page_map_start = mi_align_down((uintptr_t)base, MI_UNIT_SIZE) - addresses / 2;
  mi_page_map_units = units;
}

void mi_page_map_unmap(void) {
  size_t units = mi_page_map_units;
  if (units == 0) return;
  mi_page_map_units = 0;
  mi_os_unmap(mi_page_map, table_size(units));
}

void mi_page_map_set(const void* start, size_t count, mi_page_t* page) {
  size_t first = mi_page_map_unit(start);
  if (first >= mi_page_map_units || count > mi_page_map_units - first) return;
  _Atomic(uintptr_t)* entries = mi_page_map_entries();
  uintptr_t entry = page == NULL ? 0 : (uintptr_t)page - (uintptr_t)mi_page_map;
  for (size_t i = first; i < first + count; i++) {
    atomic_store_explicit(&entries[i], entry, memory_order_relaxed);
  }
}
