// operator new and delete, in all their forms, as ours.
//
// Nothing of the C++ library is linked. What the handlers below need of it is weak: it is there
// in every process in which something can be thrown.
#include <new>

#include "miheap.h"

#define EXPORT __attribute__((visibility("default")))

__asm__(".weak __gxx_personality_v0, __cxa_begin_catch, __cxa_end_catch, _ZSt9terminatev");
extern "C" __attribute__((weak)) void* __cxa_begin_catch(void*) noexcept;

// The nothrow forms end in NULL also if the handler of std::set_new_handler throws, as handlers do.
static void* new_nothrow(std::size_t n, std::size_t alignment) noexcept {
  void* p = alignment == 0 ? mi_malloc(n) : mi_malloc_aligned(n, alignment);
  if (p != nullptr || &__cxa_begin_catch == nullptr) return p;
  try {
    return alignment == 0 ? mi_new(n) : mi_new_aligned(n, alignment);
  } catch (...) {
    return nullptr;
  }
}

EXPORT void* operator new(std::size_t n) { return mi_new(n); }
EXPORT void* operator new[](std::size_t n) { return mi_new(n); }
EXPORT void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return new_nothrow(n, 0);
}
EXPORT void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return new_nothrow(n, 0);
}
EXPORT void* operator new(std::size_t n, std::align_val_t a) {
  return mi_new_aligned(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new[](std::size_t n, std::align_val_t a) {
  return mi_new_aligned(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return new_nothrow(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return new_nothrow(n, static_cast<std::size_t>(a));
}

EXPORT void operator delete(void* p) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, const std::nothrow_t&) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p, const std::nothrow_t&) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, std::size_t) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p, std::size_t) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, std::align_val_t) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p, std::align_val_t) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, std::size_t, std::align_val_t) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  mi_free(p);
}
EXPORT void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  mi_free(p);
}
