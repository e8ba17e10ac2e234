// miheap.h as a C++ program sees it, in each standard, without a warning; and its allocators at
// work in containers.
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "miheap.h"
#include "signatures.h"

namespace {

template <class A, class T>
using other = typename std::allocator_traits<A>::template rebind_alloc<T>;

// The same in every kind of container. A is of the family that is tested.
template <class A> void fill_containers(const A& allocator) {
  std::vector<int, other<A, int>> numbers{other<A, int>(allocator)};
  std::list<int, other<A, int>> list{other<A, int>(allocator)};
  typedef std::pair<const int, int> entry;
  std::map<int, int, std::less<int>, other<A, entry>> map{std::less<int>(),
                                                          other<A, entry>(allocator)};
  std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, other<A, entry>> table(
      16, std::hash<int>(), std::equal_to<int>(), other<A, entry>(allocator));
  std::basic_string<char, std::char_traits<char>, other<A, char>> text{other<A, char>(allocator)};
  for (int i = 0; i < 5000; i++) {
    numbers.push_back(i);
    list.push_front(i);
    map[i] = i;
    table[i] = i;
    text.push_back(static_cast<char>('a' + i % 26));
  }
  CHECK_CMP(mi_usable_size(numbers.data()), >=, 5000 * sizeof(int));
  CHECK_CMP(mi_usable_size(text.data()), >=, 5000);
  for (int i = 0; i < 5000; i += 2) {
    list.pop_back();
    map.erase(i);
    table.erase(i);
  }
  CHECK_EQ(numbers[4711], 4711);
  CHECK_EQ(list.front(), 4999);
  CHECK_EQ(map.size(), 2500);
  CHECK_EQ(table.count(4710), 0);
  CHECK_EQ(table.at(4711), 4711);
  CHECK_EQ(text[27], 'b');

  // Copies, moves and swaps take their allocator along.
  auto copy = numbers;
  auto moved = std::move(numbers);
  copy.push_back(1);
  copy.swap(moved);
  CHECK_EQ(copy.size(), 5000);
  CHECK_EQ(moved.size(), 5001);
  copy = moved;
  CHECK(copy == moved);
  CHECK(copy.get_allocator() == moved.get_allocator());
  list.clear();
}

struct alignas(512) wide {
  char bytes[700];
};

template <class A> void check_allocator(A allocator) {
  typedef std::allocator_traits<A> traits;
  static_assert(std::is_same<typename traits::value_type, int>::value, "");
  static_assert(traits::propagate_on_container_copy_assignment::value, "");
  static_assert(traits::propagate_on_container_move_assignment::value, "");
  static_assert(traits::propagate_on_container_swap::value, "");
  static_assert(std::is_nothrow_copy_constructible<A>::value, "");
  typedef std::pair<int, std::string> pair;

  int* p = allocator.allocate(100);
  CHECK_CMP(mi_usable_size(p), >=, 100 * sizeof(int));
  p[99] = 1;
  allocator.deallocate(p, 100);
  p = allocator.allocate(0);
  allocator.deallocate(p, 0);

  other<A, pair> pairs(allocator);
  pair* q = pairs.allocate(1);
  pairs.construct(q, 17, "a string that does not fit into the object itself");
  CHECK_EQ(q->first, 17);
  CHECK(pairs.address(*q) == q);
  pairs.destroy(q);
  pairs.deallocate(q, 1);

  other<A, wide> wides(allocator);
  for (std::size_t count : {1, 2, 5, 100, 10000}) {
    wide* w = wides.allocate(count);
    CHECK_EQ(reinterpret_cast<std::uintptr_t>(w) % alignof(wide), 0);
    w[count - 1].bytes[699] = 1;
    wides.deallocate(w, count);
  }

  CHECK(A(pairs) == allocator);
  CHECK(!(A(pairs) != allocator));
  CHECK(pairs == allocator);
  CHECK(traits::select_on_container_copy_construction(allocator) == allocator);
  CHECK_EQ(allocator.max_size(), PTRDIFF_MAX / sizeof(int));
  for (std::size_t too_many : {allocator.max_size(), SIZE_MAX, SIZE_MAX / sizeof(int) + 1}) {
    bool thrown = false;
    try {
      volatile std::size_t count = too_many;
      allocator.deallocate(allocator.allocate(count), 1);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    CHECK(thrown);
  }
  fill_containers(allocator);
}

std::size_t committed() {
  std::size_t bytes;
  mi_collect(true);
  mi_process_info(nullptr, nullptr, nullptr, nullptr, nullptr, &bytes, nullptr, nullptr);
  return bytes;
}

// A container that was moved from has its heap still.
template <class A, class C> void use_moved_from(C& filled, const A& allocator) {
  C target(std::move(filled));
  CHECK(filled.get_allocator() == allocator);
  CHECK(target.get_allocator() == allocator);
  filled = target;
  CHECK(filled == target);
  C assigned((A()));
  assigned = std::move(filled);
  CHECK(assigned == target);
  CHECK(assigned.get_allocator() == allocator);
  CHECK(filled.get_allocator() == allocator);
  filled.clear();
  filled.insert(filled.end(), *target.begin());
  CHECK(*filled.begin() == *target.begin());
}

template <class A> void check_moves() {
  A a;
  A unchanged(a);
  A moved(std::move(a));
  CHECK(a == unchanged && moved == a);
  A assigned;
  assigned = std::move(a);
  CHECK(a == unchanged && assigned == a);
  other<A, char> rebound(std::move(a));
  CHECK(a == unchanged && rebound == a);
  a.deallocate(a.allocate(10), 10);

  typedef std::pair<const int, int> entry;
  std::vector<int, A> numbers(1000, 7, a);
  use_moved_from(numbers, a);
  std::list<int, A> list(100, 7, a);
  use_moved_from(list, a);
  std::map<int, int, std::less<int>, other<A, entry>> map{std::less<int>(), other<A, entry>(a)};
  for (int i = 0; i < 100; i++) map[i] = i;
  use_moved_from(map, other<A, entry>(a));
  std::basic_string<char, std::char_traits<char>, other<A, char>> text(1000, 'x', rebound);
  use_moved_from(text, rebound);
}

template <class A> void check_heaps() {
  A a;
  A b;
  CHECK(a == a && a != b);
  A c = a;
  CHECK(a == c);
  b = a;
  CHECK(b == c);
  other<A, char> rebound(b);
  CHECK(rebound == a);
  CHECK(rebound.is_equal(a));
  a.collect(false);
  a.collect(true);

  // A heap that is given is not ended.
  mi_heap_t* heap = mi_heap_new();
  int* p;
  {
    A given(heap);
    CHECK(given != a);
    CHECK(given == A(heap));
    check_allocator(given);
    p = given.allocate(1000);
    p[999] = 999;
  }
  CHECK_EQ(p[999], 999);
  void* q = mi_heap_malloc(heap, 10);
  CHECK(q != nullptr);
  mi_heap_destroy(heap);

  // What was made from an allocator keeps its heap alive.
  std::vector<int, A> survivor;
  {
    A local;
    std::vector<int, A> numbers(1000, 7, local);
    survivor = numbers;
    CHECK(survivor.get_allocator() == local);
  }
  survivor.push_back(8);
  CHECK_EQ(survivor[999], 7);
}

// Blocks stay when the heap of their allocator is deleted, and go when it is destroyed.
void check_ends() {
  int* p;
  {
    mi_heap_stl_allocator<int> local;
    p = local.allocate(1000);
    p[999] = 999;
  }
  CHECK_EQ(p[999], 999);
  mi_free(p);

  std::size_t before = committed();
  {
    typedef mi_heap_destroy_stl_allocator<int> A;
    std::list<int, A> list;
    for (int i = 0; i < 100000; i++) list.push_back(i);
    list.clear(); // frees nothing
    CHECK_CMP(committed(), >, before + 100000 * sizeof(int));
  }
  CHECK_CMP(committed(), <=, before);
}

} // namespace

int main() {
  check_signatures();
  check_allocator(mi_stl_allocator<int>());
  CHECK(mi_stl_allocator<int>() == mi_stl_allocator<char>());
  CHECK(!(mi_stl_allocator<int>() != mi_stl_allocator<char>()));
  check_allocator(mi_heap_stl_allocator<int>());
  check_allocator(mi_heap_destroy_stl_allocator<int>());
  check_heaps<mi_heap_stl_allocator<int>>();
  check_heaps<mi_heap_destroy_stl_allocator<int>>();
  check_moves<mi_heap_stl_allocator<int>>();
  check_moves<mi_heap_destroy_stl_allocator<int>>();
  check_ends();
  return 0;
}
