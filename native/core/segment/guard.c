#include "segment/guard.h"

#include "os/os.h"

/* The start of a guarded block. A visitor reads it while another thread may be freeing the
   block. */
typedef struct header_s {
  uintptr_t link;
  _Atomic(size_t) size;
  _Atomic(size_t) inside;
} header_t;

enum { HEADER_SIZE = 32 };
_Static_assert(sizeof(header_t) <= HEADER_SIZE, "the header fits before the caller's bytes");
_Static_assert(MI_MEDIUM_BLOCKS + MI_UNIT_SIZE / MI_SMALL_BLOCK_MAX <= 64,
               "page->guarded has a bit for each block that is not small");
_Static_assert(2 * MI_OS_LEAST_PAGE >= MI_SMALL_BLOCK_MAX, "no guarded block is small");

static uint64_t bit_of(const mi_page_t* page, const void* p) {
  return (uint64_t)1 << ((size_t)((const uint8_t*)p - page->start) / page->block_size);
}

/* Acquire pairs with the release in mi_guard_place: the header has been written. */
static bool is_guarded(const mi_page_t* page, const void* p) {
  uint64_t guarded = atomic_load_explicit(&page->guarded, memory_order_acquire);
  return guarded != 0 && (guarded & bit_of(page, p)) != 0;
}

/* Makes the whole system pages between two addresses accessible. Most of them are accessible
   already; but this way nothing depends on the header, which the program may have overwritten. */
static void lift_between(uint8_t* from, uint8_t* to) {
  uintptr_t first = mi_align_up((uintptr_t)from, mi_os_page_size());
  uintptr_t end = mi_align_down((uintptr_t)to, mi_os_page_size());
  if (first < end) mi_os_unguard((void*)first, end - first);
}

size_t mi_guard_room(size_t size, size_t align) {
  return HEADER_SIZE + align + size + 2 * mi_os_page_size();
}

uint8_t* mi_guard_place(mi_page_t* page, void* block, size_t size, size_t align, size_t offset) {
  size_t page_size = mi_os_page_size();
  uintptr_t guard = mi_align_up((uintptr_t)block + HEADER_SIZE + align + size, page_size);
  uint8_t* p = (uint8_t*)(mi_align_down(guard - size + offset, align) - offset);
  if (!mi_os_protect((void*)guard, page_size, MI_ACCESS_NONE)) return NULL;
  header_t* header = block;
  atomic_store_explicit(&header->size, size, memory_order_relaxed);
  atomic_store_explicit(&header->inside, (size_t)(p - (uint8_t*)block), memory_order_relaxed);
  /* An atomic or, since other threads may be lifting the guards of other blocks. */
  atomic_fetch_or_explicit(&page->guarded, bit_of(page, block), memory_order_release);
  return p;
}

mi_guarded_t mi_guarded_of(const mi_page_t* page, const void* p) {
  mi_guarded_t none = {NULL, 0};
  if (!is_guarded(page, p)) return none;
  size_t offset = (size_t)((const uint8_t*)p - page->start);
  uint8_t* block = page->start + offset - offset % page->block_size;
  const header_t* header = (const header_t*)block;
  size_t size = atomic_load_explicit(&header->size, memory_order_relaxed);
  size_t inside = atomic_load_explicit(&header->inside, memory_order_relaxed);
  /* If the guard was lifted meanwhile, the header may be gone. The program may also have
     overwritten it. */
  atomic_thread_fence(memory_order_acquire);
  if (!is_guarded(page, p) || inside > page->block_size || size > page->block_size - inside) {
    return none;
  }
  return (mi_guarded_t){block + inside, size};
}

void mi_guard_lift(mi_page_t* page, void* block) {
  if (!is_guarded(page, block)) return;
  atomic_fetch_and_explicit(&page->guarded, ~bit_of(page, block), memory_order_acq_rel);
  lift_between(block, (uint8_t*)block + page->block_size);
}

void mi_guard_lift_page(mi_page_t* page) {
  if (atomic_load_explicit(&page->guarded, memory_order_acquire) == 0) return;
  atomic_store_explicit(&page->guarded, 0, memory_order_relaxed);
  lift_between(page->start, page->start + page->capacity * page->block_size);
}
