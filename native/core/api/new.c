/* What C++ operators do when memory runs out. miheap does not link the C++ library: it finds
   what it needs there only in processes that have loaded it. */
#include <errno.h>
#include <stdlib.h>

#include "api/alloc.h"

typedef void (*new_handler_t)(void);

/* std::get_new_handler(), and what throws std::bad_alloc. */
__attribute__((weak)) new_handler_t _ZSt15get_new_handlerv(void);
__attribute__((weak)) void _ZSt17__throw_bad_allocv(void);

static void throw_bad_alloc(size_t size) {
  if (_ZSt17__throw_bad_allocv != NULL) _ZSt17__throw_bad_allocv();
  mi_error(ENOMEM, "operator new: out of memory for %zu bytes\n", size);
  abort();
}

/* Calls the handler. False if there is none. */
static bool call_new_handler(void) {
  if (_ZSt15get_new_handlerv == NULL) return false;
  new_handler_t handler = _ZSt15get_new_handlerv();
  if (handler == NULL) return false;
  handler();
  return true;
}

static mi_noinline void* retry(size_t size, size_t align) {
  /* An alignment that cannot be does not become possible by freeing memory. */
  while (mi_is_power_of_two(align) && call_new_handler()) {
    void* p = mi_alloc_aligned(mi_heap_default, size, align, 0, false);
    if (p != NULL) return p;
  }
  throw_bad_alloc(size);
  return NULL;
}

void* mi_new(size_t size) {
  void* p = mi_alloc(mi_heap_default, size, false);
  return mi_likely(p != NULL) ? p : retry(size, 1);
}

void* mi_new_aligned(size_t size, size_t alignment) {
  void* p = mi_alloc_aligned(mi_heap_default, size, alignment, 0, false);
  return mi_likely(p != NULL) ? p : retry(size, alignment);
}

/* A handler may throw, which C cannot catch: so it is not called. */
void* mi_new_nothrow(size_t size) mi_attr_noexcept { return mi_malloc(size); }
void* mi_new_aligned_nothrow(size_t size, size_t alignment) mi_attr_noexcept {
  return mi_malloc_aligned(size, alignment);
}
