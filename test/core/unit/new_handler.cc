// operator new of the overriding library, out of memory: the handler is called, then bad_alloc is thrown.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "check.h"
#include "miheap.h"

static int calls;
static volatile std::size_t too_much = static_cast<std::size_t>(PTRDIFF_MAX) - 100000;

static void give_up_at_third() {
  if (++calls == 3) std::set_new_handler(nullptr);
}

struct handler_error {};
static void throw_other() { throw handler_error(); }

template <typename F> static bool throws_bad_alloc(F f) {
  try {
    f();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

struct alignas(256) wide {
  char bytes[300];
};

/* Where a pointer goes so that the compiler keeps the allocation. */
static const void* volatile escaped;

static void throwing() {
  CHECK(throws_bad_alloc([] { return ::operator new(too_much); }));
  CHECK(throws_bad_alloc([] { return ::operator new[](too_much); }));
  CHECK(throws_bad_alloc([] { return ::operator new(too_much, std::align_val_t(64)); }));
  CHECK(throws_bad_alloc([] { return mi_new(too_much); }));
  CHECK(throws_bad_alloc([] {
    std::vector<char> v(too_much / 2);
    escaped = v.data();
  }));
  CHECK(::operator new(too_much, std::nothrow) == nullptr);
  CHECK(::operator new(too_much, std::align_val_t(64), std::nothrow) == nullptr);
}

static void handlers() {
  std::set_new_handler(give_up_at_third);
  CHECK(throws_bad_alloc([] { return ::operator new(too_much); }));
  CHECK_EQ(calls, 3);
  calls = 0;
  std::set_new_handler(give_up_at_third);
  CHECK(::operator new(too_much, std::nothrow) == nullptr);
  CHECK_EQ(calls, 3);
  std::set_new_handler(throw_other);
  bool caught = false;
  try {
    void* p = ::operator new(too_much);
    CHECK(p == nullptr);
  } catch (const handler_error&) {
    caught = true;
  }
  CHECK(caught);
  std::set_new_handler(nullptr);
}

int main() {
  CHECK(mi_is_redirected());
  throwing();
  handlers();
  wide* w = new wide[3];
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(w) % alignof(wide), 0);
  CHECK_CMP(mi_usable_size(w), >=, sizeof(wide) * 3);
  delete[] w;
  void* p = std::malloc(100);
  CHECK_CMP(mi_usable_size(p), >=, 100);
  std::free(p);
  return 0;
}
