/* What operator new of C++ does, also when memory runs out. miheap does not link the C++ library:
   it finds the functions it needs in processes that have loaded that library. */
#include <errno.h>
#include <stdlib.h>

#include "api/alloc.h"
#include "heap/thread.h"
#include "os/os.h"

typedef void (*new_handler_t)(void);

/* std::get_new_handler(). */
__attribute__((weak)) new_handler_t _ZSt15get_new_handlerv(void);
/* std::__throw_bad_alloc(). */
__attribute__((weak)) void _ZSt17__throw_bad_allocv(void);

/* A function of a C++ library that a plug-in brought, after the references above were bound. NULL
   if there is none. */
static mi_cold void* find_in_late_library(const char* name) {
  void* symbol = mi_os_library_symbol("libstdc++.so.6", name);
  return symbol != NULL ? symbol : mi_os_library_symbol("libc++.so.1", name);
}

/* Throws std::bad_alloc; without a C++ library reports the failure and aborts. Does not return. */
static mi_cold void* throw_bad_alloc(size_t count, size_t size) {
  void (*throw_it)(void) = _ZSt17__throw_bad_allocv;
  if (throw_it == NULL) *(void**)&throw_it = find_in_late_library("_ZSt17__throw_bad_allocv");
  if (throw_it != NULL) throw_it();
  mi_error(ENOMEM, "operator new: out of memory for %zu * %zu bytes\n", count, size);
  abort();
}

/* Calls the handler. False if there is none. */
static mi_cold bool call_new_handler(void) {
  new_handler_t (*get)(void) = _ZSt15get_new_handlerv;
  if (get == NULL) *(void**)&get = find_in_late_library("_ZSt15get_new_handlerv");
  new_handler_t handler = get == NULL ? NULL : get();
  if (handler == NULL) return false;
  handler();
  return true;
}

/* After a failure: calls the handler and tries again, until there is memory or no handler. Then
   errno is as before the failure. Only for ENOMEM: a bad alignment, or a `p` that is no block, does
   not get better by freeing memory. */
static mi_cold void* retry_nothrow(mi_heap_t* heap, void* p, size_t size, size_t align) {
  int before = mi_errno_before;
  while (errno == ENOMEM && call_new_handler()) {
    void* result = mi_realloc_from(heap, p, size, align, 0, false);
    if (result != NULL) {
      errno = before;
      return result;
    }
  }
  return NULL;
}

/* Like retry_nothrow, but throws instead of returning NULL. */
static mi_cold void* retry(mi_heap_t* heap, void* p, size_t size, size_t align) {
  void* result = retry_nothrow(heap, p, size, align);
  return result != NULL ? result : throw_bad_alloc(1, size);
}

/* retry_nothrow for new_nothrow.cc, whose functions take neither a heap nor a block. */
mi_cold void* mi_new_retry_nothrow(size_t size, size_t align);
void* mi_new_retry_nothrow(size_t size, size_t align) {
  return retry_nothrow(NULL, NULL, size, align);
}

void* mi_heap_alloc_new(mi_heap_t* heap, size_t size) {
  if (mi_unlikely(heap == NULL)) return throw_bad_alloc(1, size);
  void* p = mi_alloc(heap, size, false);
  return mi_likely(p != NULL) ? p : retry(heap, NULL, size, 1);
}

void* mi_heap_alloc_new_n(mi_heap_t* heap, size_t count, size_t size) {
  size_t total;
  return mi_likely(mi_count_bytes(count, size, &total)) ? mi_heap_alloc_new(heap, total)
                                                        : throw_bad_alloc(count, size);
}

/* mi_malloc_larger for operator new: never NULL. */
static mi_noinline void* new_larger(size_t size) {
  void* p = mi_malloc_larger(size);
  return mi_likely(p != NULL) ? p : retry(NULL, NULL, size, 1);
}
/* mi_malloc_slow for operator new: never NULL. */
static mi_noinline void* new_slow(size_t size, mi_heap_t* heap, mi_page_t* page) {
  void* p = mi_malloc_slow(size, heap, page);
  return mi_likely(p != NULL) ? p : retry(NULL, NULL, size, 1);
}

mi_hot void* mi_new(size_t size) { return mi_malloc_or(size, new_larger, new_slow); }

void* mi_new_n(size_t count, size_t size) {
  size_t total;
  return mi_likely(mi_count_bytes(count, size, &total)) ? mi_new(total)
                                                        : throw_bad_alloc(count, size);
}

void* mi_new_aligned(size_t size, size_t alignment) {
  void* p = mi_alloc_aligned(mi_heap_default, size, alignment, 0, false);
  return mi_likely(p != NULL) ? p : retry(NULL, NULL, size, alignment);
}

void* mi_new_realloc(void* p, size_t newsize) {
  void* result = mi_realloc_from(NULL, p, newsize, 1, 0, false);
  return mi_likely(result != NULL) ? result : retry(NULL, p, newsize, 1);
}

void* mi_new_reallocn(void* p, size_t newcount, size_t size) {
  size_t total;
  return mi_likely(mi_count_bytes(newcount, size, &total)) ? mi_new_realloc(p, total)
                                                           : throw_bad_alloc(newcount, size);
}
