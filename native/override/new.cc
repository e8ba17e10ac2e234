// operator new and delete, in all their forms, as ours.
#include <new>

#include "miheap.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void* operator new(std::size_t n) { return mi_new(n); }
EXPORT void* operator new[](std::size_t n) { return mi_new(n); }
EXPORT void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return mi_new_nothrow(n);
}
EXPORT void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return mi_new_nothrow(n);
}
EXPORT void* operator new(std::size_t n, std::align_val_t a) {
  return mi_new_aligned(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new[](std::size_t n, std::align_val_t a) {
  return mi_new_aligned(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return mi_new_aligned_nothrow(n, static_cast<std::size_t>(a));
}
EXPORT void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return mi_new_aligned_nothrow(n, static_cast<std::size_t>(a));
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
