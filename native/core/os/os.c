/* The part of the platform layer that is the same everywhere: alignment, huge pages, and the faults
   that tests ask for. */
#include "os/os.h"

#include "bits.h"
#include "os/port.h"
#include "os/rare.h"

size_t mi_os_page_size(void) {
  static _Atomic(size_t) cached; /* every thread computes the same */
  size_t size = atomic_load_explicit(&cached, memory_order_relaxed);
  if (size == 0) {
    size = mi_os_fake_page_size();
    if (size == 0) size = mi_prim_page_size();
    atomic_store_explicit(&cached, size, memory_order_relaxed);
  }
  return size;
}

/* Maps more than is needed and returns the ends. */
static void* map_and_trim(size_t size, size_t align, mi_map_t kind) {
  size_t total;
  if (__builtin_add_overflow(size, align, &total)) return NULL;
  uint8_t* p = mi_prim_map(total, kind);
  if (p == NULL) return NULL;
  uint8_t* aligned = (uint8_t*)mi_align_up((uintptr_t)p, align);
  size_t head = (size_t)(aligned - p);
  if (head > 0) mi_prim_unmap(p, head);
  if (align > head) mi_prim_unmap(aligned + size, align - head);
  return aligned;
}

void* mi_os_map(size_t size, size_t align, mi_map_t kind) {
  if (mi_os_fault()) return NULL;
  if (align <= mi_os_page_size()) return mi_prim_map(size, kind);
  /* Systems place mappings next to each other. So once one is aligned, each one of the same size
     after it is too, with a single call. */
  if (mi_is_aligned((void*)size, align)) {
    void* p = mi_prim_map(size, kind);
    if (p == NULL || mi_is_aligned(p, align)) return p;
    mi_prim_unmap(p, size);
  }
  return map_and_trim(size, align, kind);
}

void mi_os_unmap(void* p, size_t size) {
  mi_prim_unmap(p, size);
  mi_os_unmapped(size);
}

void* mi_os_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped) {
  *mapped = 0;
  size_t size;
  if (__builtin_mul_overflow(count, MI_OS_HUGE_PAGE, &size)) return NULL;
  /* So that the pages are next to each other. */
  uint8_t* p = mi_os_map(size, MI_OS_HUGE_PAGE, MI_MAP_ADDRESSES);
  if (p == NULL) return NULL;
  int64_t start = mi_os_now();
  while (*mapped < count) {
    uint8_t* at = p + *mapped * MI_OS_HUGE_PAGE;
    if (mi_os_fault() || !(mi_os_fake_huge_page() || mi_prim_map_huge_page(at, numa_node))) break;
    ++*mapped;
    if (timeout_ms > 0 && (uint64_t)(mi_os_now() - start) >= timeout_ms) break;
  }
  size_t have = *mapped * MI_OS_HUGE_PAGE;
  if (have < size) mi_prim_unmap(p + have, size - have);
  return have > 0 ? p : NULL;
}

bool mi_os_protect(void* p, size_t size, mi_access_t access) {
  mi_os_expect_pages(p, size);
  if (mi_os_fault()) return false;
  return mi_prim_protect(p, size, access);
}

void mi_os_unguard(void* p, size_t size) {
  mi_os_expect_pages(p, size);
  for (unsigned round = 0; !mi_prim_protect(p, size, MI_ACCESS_WRITE); round++) mi_os_yield(round);
}

bool mi_os_commit(void* p, size_t size) {
  if (mi_os_fault()) return false;
  return mi_prim_commit(p, size);
}

void mi_os_populate(void* from, void* to) {
  uintptr_t first = mi_align_up((uintptr_t)from, mi_os_page_size());
  uintptr_t end = mi_align_up((uintptr_t)to, mi_os_page_size());
  if (first < end) mi_prim_populate((void*)first, end - first);
}

mi_purge_result_t mi_os_purge(void* p, size_t size, bool decommit) {
  mi_os_expect_pages(p, size);
  if (mi_os_fault()) return MI_PURGE_FAILED;
  return mi_prim_purge(p, size, decommit);
}

bool mi_os_resize(void* p, size_t size, size_t new_size) {
  mi_os_expect_pages(p, new_size);
  if (mi_os_fault()) return false;
  return mi_prim_resize(p, size, new_size);
}

bool mi_os_move(void* p, size_t size, void* target, size_t target_size) {
  if (mi_os_fault()) return false;
  return mi_prim_move(p, size, target, target_size);
}

bool mi_os_move_contents(void* p, size_t size, void* target) {
  mi_os_expect_pages(p, size);
  if (mi_os_fault()) return false;
  return mi_prim_move_contents(p, size, target);
}
