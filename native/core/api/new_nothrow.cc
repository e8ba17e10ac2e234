// The nothrow forms of operator new. As the standard wants it, they too call the handler of
// std::set_new_handler; it may throw, which C cannot catch: hence this file.
//
// Nothing of the C++ library is linked. What catching needs of it is weak: it is there in every
// process in which something can be thrown.
#include "miheap.h"

__asm__(".weak __gxx_personality_v0, __cxa_begin_catch, __cxa_end_catch, _ZSt9terminatev");
extern "C" __attribute__((weak)) void _ZSt17__throw_bad_allocv();

// With no C++ library there is no handler either, and mi_new would stop the process. Compilers take
// it for granted that the functions which they call themselves are there: so ask for another one.
static bool can_catch() { return &_ZSt17__throw_bad_allocv != nullptr; }

extern "C" void* mi_new_nothrow(size_t size) noexcept {
  void* p = mi_malloc(size);
  if (p != nullptr || !can_catch()) return p;
  try {
    return mi_new(size);
  } catch (...) {
    return nullptr;
  }
}

extern "C" void* mi_new_aligned_nothrow(size_t size, size_t alignment) noexcept {
  void* p = mi_malloc_aligned(size, alignment);
  if (p != nullptr || !can_catch()) return p;
  try {
    return mi_new_aligned(size, alignment);
  } catch (...) {
    return nullptr;
  }
}
