// mi_new and its kin in a C++ program that runs out of memory: the handler of std::set_new_handler
// is called as long as it helps, and then all fail in their own way.
#include <cerrno>
#include <cstdint>
#include <new>

#include "check.h"
#include "miheap.h"

namespace {

mi_heap_t* heap;
volatile std::size_t most = PTRDIFF_MAX;
volatile std::size_t some = 50000000;

int calls;
void give_up_at_third() {
  if (++calls == 3) std::set_new_handler(nullptr);
}
struct handler_error {};
void throw_other() {
  calls++;
  throw handler_error();
}
void make_room() {
  errno = EBADF;
  if (++calls == 2) mi_option_disable(mi_option_disallow_os_alloc);
}

enum outcome { gave_memory, gave_null, threw_bad_alloc, threw_other };

template <typename F> outcome outcome_of(F f) {
  try {
    void* p = f();
    if (p == nullptr) return gave_null;
    CHECK_CMP(mi_usable_size(p), >=, some);
    mi_free(p);
    return gave_memory;
  } catch (const std::bad_alloc&) {
    return threw_bad_alloc;
  } catch (const handler_error&) {
    return threw_other;
  }
}

// F allocates as many bytes as it is told.
template <typename F> void check_form(F f, bool throws) {
  // No handler.
  std::set_new_handler(nullptr);
  CHECK_EQ(outcome_of([&] { return f(some); }), gave_memory);
  CHECK_EQ(outcome_of([&] { return f(most); }), throws ? threw_bad_alloc : gave_null);

  // One that goes in the end.
  calls = 0;
  std::set_new_handler(give_up_at_third);
  CHECK_EQ(outcome_of([&] { return f(most); }), throws ? threw_bad_alloc : gave_null);
  CHECK_EQ(calls, 3);

  // One that throws.
  calls = 0;
  std::set_new_handler(throw_other);
  CHECK_EQ(outcome_of([&] { return f(most); }), throws ? threw_other : gave_null);
  CHECK_EQ(calls, 1);

  // One that finds memory. What tells of the failure finds none either.
  mi_register_error([](int, void*) { mi_free(mi_malloc(some)); }, nullptr);
  mi_collect(true);
  calls = 0;
  std::set_new_handler(make_room);
  mi_option_enable(mi_option_disallow_os_alloc);
  errno = EDOM;
  CHECK_EQ(outcome_of([&] { return f(some); }), gave_memory);
  CHECK_EQ(errno, EDOM);
  CHECK_EQ(calls, 2);
  std::set_new_handler(nullptr);
  mi_register_error(nullptr, nullptr);
}

void check_forms() {
  check_form([](std::size_t n) { return mi_new(n); }, true);
  check_form([](std::size_t n) { return mi_new_n(n / 8, 8); }, true);
  check_form([](std::size_t n) { return mi_new_aligned(n, 4096); }, true);
  check_form([](std::size_t n) { return mi_heap_alloc_new(heap, n); }, true);
  check_form([](std::size_t n) { return mi_heap_alloc_new_n(heap, 8, n / 8); }, true);
  check_form([](std::size_t n) { return mi_new_realloc(nullptr, n); }, true);
  check_form([](std::size_t n) { return mi_new_reallocn(nullptr, n / 8, 8); }, true);
  check_form([](std::size_t n) { return mi_new_nothrow(n); }, false);
  check_form([](std::size_t n) { return mi_new_aligned_nothrow(n, 256); }, false);

  check_form([](std::size_t n) { return ::operator new(n); }, true);
  check_form([](std::size_t n) { return ::operator new[](n); }, true);
  check_form([](std::size_t n) { return ::operator new(n, std::align_val_t(64)); }, true);
  check_form([](std::size_t n) { return ::operator new[](n, std::align_val_t(64)); }, true);
  check_form([](std::size_t n) { return ::operator new(n, std::nothrow); }, false);
  check_form([](std::size_t n) { return ::operator new[](n, std::nothrow); }, false);
  check_form([](std::size_t n) { return ::operator new(n, std::align_val_t(64), std::nothrow); },
             false);
  check_form([](std::size_t n) { return ::operator new[](n, std::align_val_t(64), std::nothrow); },
             false);
}

// What no memory can help with is not asked of the handler.
void check_hopeless() {
  volatile std::size_t no_power = 48;
  calls = 0;
  std::set_new_handler(throw_other);
  CHECK_EQ(outcome_of([&] { return mi_new_n(most, 3); }), threw_bad_alloc);
  CHECK_EQ(outcome_of([&] { return mi_heap_alloc_new_n(heap, most, 3); }), threw_bad_alloc);
  CHECK_EQ(outcome_of([&] { return mi_new_reallocn(nullptr, 3, most); }), threw_bad_alloc);
  CHECK_EQ(outcome_of([&] { return mi_new_aligned(10, no_power); }), threw_bad_alloc);
  CHECK_EQ(outcome_of([&] { return mi_new_aligned_nothrow(10, no_power); }), gave_null);
  CHECK_EQ(outcome_of([] { return mi_heap_alloc_new(nullptr, 10); }), threw_bad_alloc);
  CHECK_EQ(calls, 0);
  std::set_new_handler(nullptr);
}

void check_realloc() {
  auto* p = static_cast<std::uint64_t*>(mi_new_realloc(nullptr, 80));
  for (std::uint64_t i = 0; i < 10; i++) p[i] = i;
  p = static_cast<std::uint64_t*>(mi_new_reallocn(p, 100000, 8));
  p = static_cast<std::uint64_t*>(mi_new_realloc(p, 80));
  for (std::uint64_t i = 0; i < 10; i++) CHECK_EQ(p[i], i);
  for (int i = 0; i < 2; i++) {
    bool thrown = false;
    try {
      p = static_cast<std::uint64_t*>(i == 0 ? mi_new_realloc(p, most)
                                             : mi_new_reallocn(p, most, 3));
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    CHECK(thrown);
    CHECK_EQ(p[9], 9); // the old block is as it was
  }
  mi_free(p);
}

} // namespace

int main() {
  mi_option_disable(mi_option_show_errors); // of counts that overflow
  heap = mi_heap_new();
  check_forms();
  check_hopeless();
  check_realloc();
  mi_heap_delete(heap);
  return 0;
}
