// The plug-in of late_cxx.c. Returns a block.
#include <cstdint>
#include <new>

#include "ours.h"

namespace {

int calls;

void give_up_at_third() {
  if (++calls == 3) std::set_new_handler(nullptr);
}

void throw_int() { throw 42; }

size_t too_much() { return opaque_size(PTRDIFF_MAX); }

// What is thrown: 0 nothing, 1 bad_alloc, else the int.
template <typename F> int thrown_by(F f) {
  try {
    ::operator delete(opaque(f()));
  } catch (const std::bad_alloc&) {
    return 1;
  } catch (int i) {
    return i;
  }
  return 0;
}

} // namespace

extern "C" __attribute__((visibility("default"))) void* run_out() {
  const auto throwing = [] { return ::operator new(too_much()); };
  const auto aligned = [] { return ::operator new (too_much(), std::align_val_t{64}); };
  const auto nothrow = [] { return ::operator new(too_much(), std::nothrow); };
  CHECK_EQ(thrown_by(throwing), 1);
  CHECK_EQ(thrown_by(aligned), 1);
  CHECK_PTR(nothrow(), ==, nullptr);

  std::set_new_handler(give_up_at_third);
  CHECK_EQ(thrown_by(throwing), 1);
  CHECK_EQ(calls, 3);
  calls = 0;
  std::set_new_handler(give_up_at_third);
  CHECK_PTR(nothrow(), ==, nullptr);
  CHECK_EQ(calls, 3);
  std::set_new_handler(throw_int);
  CHECK_EQ(thrown_by(throwing), 42);
  std::set_new_handler(nullptr);
  return ::operator new(100);
}
