// A program that replaces four of the operators, with blocks that nobody but its own delete can free: all other forms
// call these.
#include <cstdlib>
#include <new>

#include "ours.h"

namespace {

// In front of each block, so that what it is shows.
struct alignas(64) header_t {
  long kind;
};
enum { PLAIN = 1, ALIGNED = 2 };

long alive;
bool fails;

void* give(std::size_t n, long kind) {
  if (fails) throw 42;
  header_t* header = static_cast<header_t*>(std::aligned_alloc(64, sizeof(header_t) + n));
  CHECK(is_ours(header));
  header->kind = kind;
  alive++;
  return header + 1;
}

void take(void* p, long kind) {
  if (p == nullptr) return;
  header_t* header = static_cast<header_t*>(p) - 1;
  CHECK_EQ(header->kind, kind);
  header->kind = 0;
  alive--;
  std::free(header);
}

const std::align_val_t align{64};
const std::size_t size = 640;

template <typename F> bool throws_42(F allocate) {
  try {
    opaque(allocate());
    return false;
  } catch (int i) {
    return i == 42;
  }
}

} // namespace

void* operator new(std::size_t n) { return give(n, PLAIN); }
void* operator new(std::size_t n, std::align_val_t) { return give(n, ALIGNED); }
void operator delete(void* p) noexcept { take(p, PLAIN); }
void operator delete(void* p, std::align_val_t) noexcept { take(p, ALIGNED); }

int main() {
  void* (*const gives[])() = {
      [] { return ::operator new(size); },
      [] { return ::operator new[](size); },
      [] { return ::operator new(size, std::nothrow); },
      [] { return ::operator new[](size, std::nothrow); },
      [] { return ::operator new(size, align); },
      [] { return ::operator new[](size, align); },
      [] { return ::operator new(size, align, std::nothrow); },
      [] { return ::operator new[](size, align, std::nothrow); },
  };
  void (*const takes[])(void* p) = {
      [](void* p) { ::operator delete(p); },
      [](void* p) { ::operator delete[](p); },
      [](void* p) { ::operator delete(p, std::nothrow); },
      [](void* p) { ::operator delete[](p, std::nothrow); },
      [](void* p) { ::operator delete(p, size); },
      [](void* p) { ::operator delete[](p, size); },
      [](void* p) { ::operator delete(p, align); },
      [](void* p) { ::operator delete[](p, align); },
      [](void* p) { ::operator delete(p, align, std::nothrow); },
      [](void* p) { ::operator delete[](p, align, std::nothrow); },
      [](void* p) { ::operator delete(p, size, align); },
      [](void* p) { ::operator delete[](p, size, align); },
  };
  const long before = alive;
  for (int i = 0; i < 8; i++) {
    const bool aligned = i >= 4;
    for (int k = aligned ? 6 : 0; k < (aligned ? 12 : 6); k++) {
      void* p = opaque(gives[i]());
      CHECK_EQ(alive, before + 1);
      takes[k](p);
      CHECK_EQ(alive, before);
    }
  }
  fails = true;
  for (int i = 0; i < 8; i++) {
    if (i % 4 < 2)
      CHECK(throws_42(gives[i]));
    else
      CHECK_PTR(gives[i](), ==, nullptr);
  }
  return 0;
}
