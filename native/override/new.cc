// operator new and delete, in all their forms. A program may replace only some of them. So most
// forms call another one by its name, as the standard says ([new.delete]): then what the program's
// new gave goes to the program's delete. For the same reason all are weak, so that a program with
// operators of its own can be linked with the archive.
#include <new>

#include "miheap.h"

#define EXPORT __attribute__((visibility("default"), weak))
#define RARE __attribute__((cold)) // not among what every process touches: cmake/layout.ld
#define HIDDEN __attribute__((visibility("hidden")))

// Catching needs these, and only processes that have C++ have them, as in api/new_nothrow.cc.
__asm__(".weak __gxx_personality_v0, __cxa_begin_catch, __cxa_end_catch, _ZSt9terminatev");

// Our operators, whatever their names lead to.
extern "C" {
HIDDEN void* mi_own_new(std::size_t n) { return mi_new(n); }
HIDDEN void* mi_own_new_aligned(std::size_t n, std::align_val_t a) {
  return mi_new_aligned(n, static_cast<std::size_t>(a));
}
HIDDEN void* mi_own_new_array(std::size_t n) { return ::operator new(n); }
HIDDEN void* mi_own_new_aligned_array(std::size_t n, std::align_val_t a) {
  return ::operator new(n, a);
}
}
EXPORT void* operator new(std::size_t n) __attribute__((alias("mi_own_new")));
EXPORT void* operator new(std::size_t n, std::align_val_t a)
    __attribute__((alias("mi_own_new_aligned")));
EXPORT void* operator new[](std::size_t n) __attribute__((alias("mi_own_new_array")));
EXPORT void* operator new[](std::size_t n, std::align_val_t a)
    __attribute__((alias("mi_own_new_aligned_array")));

EXPORT void operator delete(void* p) noexcept { mi_free(p); }
EXPORT void operator delete(void* p, std::align_val_t) noexcept { mi_free(p); }
EXPORT void operator delete[](void* p) noexcept { ::operator delete(p); }
EXPORT void operator delete[](void* p, std::align_val_t a) noexcept { ::operator delete(p, a); }

EXPORT void operator delete(void* p, std::size_t) noexcept { ::operator delete(p); }
EXPORT void operator delete(void* p, std::size_t, std::align_val_t a) noexcept {
  ::operator delete(p, a);
}
EXPORT void operator delete[](void* p, std::size_t) noexcept { ::operator delete[](p); }
EXPORT void operator delete[](void* p, std::size_t, std::align_val_t a) noexcept {
  ::operator delete[](p, a);
}

EXPORT void operator delete(void* p, const std::nothrow_t&) noexcept { ::operator delete(p); }
EXPORT void operator delete(void* p, std::align_val_t a, const std::nothrow_t&) noexcept {
  ::operator delete(p, a);
}
EXPORT void operator delete[](void* p, const std::nothrow_t&) noexcept { ::operator delete[](p); }
EXPORT void operator delete[](void* p, std::align_val_t a, const std::nothrow_t&) noexcept {
  ::operator delete[](p, a);
}

// The forms that do not throw call those that do only if the program has replaced them: our own
// also work where nothing can be caught.
namespace {

using new_t = void*(std::size_t n);
using new_aligned_t = void*(std::size_t n, std::align_val_t a);

template <typename F> bool is_ours(F* named, F* own) {
  __asm__("" : "+r"(named)); // so that the compiler does not know
  return named == own;
}

template <typename F, typename... Args> void* null_if_it_throws(F* allocate, Args... args) {
  try {
    return allocate(args...);
  } catch (...) {
    return nullptr;
  }
}

void* new_or_null(std::size_t n) {
  new_t* named = ::operator new;
  return is_ours(named, mi_own_new) ? mi_new_nothrow(n) : null_if_it_throws(named, n);
}

void* new_or_null(std::size_t n, std::align_val_t a) {
  new_aligned_t* named = ::operator new;
  return is_ours(named, mi_own_new_aligned) ? mi_new_aligned_nothrow(n, static_cast<std::size_t>(a))
                                            : null_if_it_throws(named, n, a);
}

} // namespace

RARE EXPORT void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return new_or_null(n);
}
RARE EXPORT void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return new_or_null(n, a);
}
RARE EXPORT void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  new_t* named = ::operator new[];
  return is_ours(named, mi_own_new_array) ? new_or_null(n) : null_if_it_throws(named, n);
}
RARE EXPORT void*
operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  new_aligned_t* named = ::operator new[];
  return is_ours(named, mi_own_new_aligned_array) ? new_or_null(n, a)
                                                  : null_if_it_throws(named, n, a);
}
