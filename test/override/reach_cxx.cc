// Every operator new is ours, and what the C++ library makes with them.
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ours.h"

namespace {

struct alignas(256) wide_t {
  char bytes[300];
};

void check_operators() {
  void* p = opaque(::operator new(100));
  CHECK(is_ours(p));
  ::operator delete(p);
  p = opaque(::operator new[](100));
  CHECK(is_ours(p));
  ::operator delete[](p, std::size_t{100});
  p = opaque(::operator new(100, std::nothrow));
  CHECK(is_ours(p));
  ::operator delete(p, std::nothrow);
  p = opaque(::operator new (100, std::align_val_t{1024}));
  CHECK(is_ours(p));
  CHECK_EQ(reinterpret_cast<uintptr_t>(p) % 1024, 0);
  ::operator delete (p, std::size_t{100}, std::align_val_t{1024});
  wide_t* wide = new wide_t[3];
  CHECK(is_ours(opaque(wide)));
  CHECK_EQ(reinterpret_cast<uintptr_t>(wide) % 256, 0);
  delete[] wide;
  // One allocator: what new gave, free takes, and the other way around.
  std::free(opaque(::operator new(100)));
  ::operator delete(opaque(std::malloc(100)));
}

void check_library() {
  std::vector<std::string> strings;
  std::map<std::string, int> numbers;
  for (int i = 0; i < 10000; i++) {
    strings.push_back("a string that is too long to be kept in place: " + std::to_string(i));
    numbers[strings.back()] = i;
  }
  CHECK(is_ours(strings.data()) && is_ours(strings[17].data()));
  CHECK_EQ(numbers[strings[4711]], 4711);
  auto shared = std::make_shared<wide_t>();
  std::thread([shared] { CHECK_EQ(shared.use_count() > 1, true); }).join();
  std::ostringstream out;
  for (int i = 0; i < 1000; i++) out << i << ' ';
  CHECK_EQ(out.str().size(), 3890);
}

void check_out_of_memory() {
  bool thrown = false;
  try {
    ::operator delete(opaque(::operator new(opaque_size(PTRDIFF_MAX))));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(opaque(::operator new(opaque_size(PTRDIFF_MAX), std::nothrow)) == nullptr);
}

// Before main, and destroyed after it.
std::vector<int>* before_main = new std::vector<int>(100, 7);
std::unique_ptr<std::vector<int>> after_main(before_main);

} // namespace

int main() {
  CHECK(is_ours(before_main) && is_ours(before_main->data()));
  check_operators();
  check_library();
  check_out_of_memory();
  return 0;
}
