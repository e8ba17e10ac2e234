// The nothrow forms of operator new. As the standard wants, they too call the handler of
// std::set_new_handler. The handler may throw, which C cannot catch: hence this file.
//
// Nothing of the C++ library is linked: the symbols that catching needs are weak. They stay unbound
// in a process that gets the C++ library with a plug-in; there an exception passes through.
#include "miheap.h"

__asm__(".weak __gxx_personality_v0, __cxa_begin_catch, __cxa_end_catch, _ZSt9terminatev");

// In new.c: calls the handler and tries again, until there is memory or no handler.
extern "C" void* mi_new_retry_nothrow(size_t size, size_t align);

extern "C" void* mi_new_nothrow(size_t size) noexcept {
  void* p = mi_malloc(size);
  if (p != nullptr) return p;
  try {
    return mi_new_retry_nothrow(size, 1);
  } catch (...) {
    return nullptr;
  }
}

extern "C" void* mi_new_aligned_nothrow(size_t size, size_t alignment) noexcept {
  void* p = mi_malloc_aligned(size, alignment);
  if (p != nullptr) return p;
  try {
    return mi_new_retry_nothrow(size, alignment);
  } catch (...) {
    return nullptr;
  }
}
