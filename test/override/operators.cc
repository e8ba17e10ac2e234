// Every form of operator new and delete is ours: what one of them gives, the others free.
#include <sys/resource.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

#include "ours.h"

namespace {

typedef void* give_t(std::size_t n);
typedef void take_t(void* p, std::size_t n);
const std::align_val_t align{4096};

give_t* const gives[] = {
    [](std::size_t n) { return ::operator new(n); },
    [](std::size_t n) { return ::operator new[](n); },
    [](std::size_t n) { return ::operator new(n, std::nothrow); },
    [](std::size_t n) { return ::operator new[](n, std::nothrow); },
    [](std::size_t n) { return ::operator new(n, align); },
    [](std::size_t n) { return ::operator new[](n, align); },
    [](std::size_t n) { return ::operator new(n, align, std::nothrow); },
    [](std::size_t n) { return ::operator new[](n, align, std::nothrow); },
};
const int first_aligned = 4;

take_t* const takes[] = {
    [](void* p, std::size_t) { ::operator delete(p); },
    [](void* p, std::size_t) { ::operator delete[](p); },
    [](void* p, std::size_t) { ::operator delete(p, std::nothrow); },
    [](void* p, std::size_t) { ::operator delete[](p, std::nothrow); },
    [](void* p, std::size_t n) { ::operator delete(p, n); },
    [](void* p, std::size_t n) { ::operator delete[](p, n); },
    [](void* p, std::size_t) { ::operator delete(p, align); },
    [](void* p, std::size_t) { ::operator delete[](p, align); },
    [](void* p, std::size_t n) { ::operator delete(p, n, align); },
    [](void* p, std::size_t n) { ::operator delete[](p, n, align); },
    [](void* p, std::size_t) { ::operator delete(p, align, std::nothrow); },
    [](void* p, std::size_t) { ::operator delete[](p, align, std::nothrow); },
    [](void* p, std::size_t) { std::free(p); },
};

} // namespace

int main() {
  for (std::size_t size : {0, 1, 100, 5000, 300000, 5000000}) {
    int form = 0;
    for (give_t* give : gives) {
      for (take_t* take : takes) {
        void* p = opaque(give(opaque_size(size)));
        CHECK(is_ours(p));
        CHECK_CMP(mi_usable_size(p), >=, size);
        if (form >= first_aligned) CHECK_EQ(reinterpret_cast<std::uintptr_t>(p) % 4096, 0);
        std::memset(p, 0xEE, size);
        take(p, size);
      }
      form++;
    }
  }
  for (take_t* take : takes) take(nullptr, 0);

  // One that did not free would soon find no more room.
  const struct rlimit limit = {512000000, 512000000};
  CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  for (take_t* take : takes) {
    for (int i = 0; i < 20; i++) {
      void* p = opaque(std::malloc(opaque_size(32000000)));
      CHECK(is_ours(p));
      take(p, 32000000);
    }
  }
  return 0;
}
