// Heavy on templates for the compiler, and on containers, strings and exceptions when it runs.
#include <array>
#include <deque>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

template <std::size_t N> struct Fibonacci {
  static constexpr unsigned long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
};
template <> struct Fibonacci<0> { static constexpr unsigned long value = 0; };
template <> struct Fibonacci<1> { static constexpr unsigned long value = 1; };

template <std::size_t... I> auto fibonaccis(std::index_sequence<I...>) {
  return std::array<unsigned long, sizeof...(I)>{Fibonacci<I>::value...};
}

template <class... Types> struct List {};
template <class List> struct Reverse;
template <> struct Reverse<List<>> { using type = List<>; };
template <class, class> struct Append;
template <class... Types, class Type> struct Append<List<Types...>, Type> {
  using type = List<Types..., Type>;
};
template <class Head, class... Tail> struct Reverse<List<Head, Tail...>> {
  using type = typename Append<typename Reverse<List<Tail...>>::type, Head>::type;
};

template <std::size_t N> struct Number {
  std::array<char, N % 97 + 1> bytes{};
  friend bool operator<(const Number& a, const Number& b) { return a.bytes < b.bytes; }
};
template <std::size_t... I> std::size_t containers(std::index_sequence<I...>) {
  std::size_t total = 0;
  auto fill = [&](auto number) {
    using Type = decltype(number);
    std::map<int, std::vector<Type>> map;
    std::set<Type> set;
    for (int i = 0; i < 40; i++) {
      number.bytes[0] = static_cast<char>(i % 11);
      map[i % 7].push_back(number);
      set.insert(number);
    }
    for (auto& [key, values] : map) total += values.size() * static_cast<std::size_t>(key);
    total += set.size() * sizeof(Type);
  };
  (fill(Number<I>{}), ...);
  return total;
}

struct alignas(64) Aligned {
  explicit Aligned(int v) : value(v) {
    if (reinterpret_cast<std::uintptr_t>(this) % 64 != 0) throw std::logic_error("misaligned");
  }
  int value;
};

using Node = std::variant<int, std::string, std::vector<std::shared_ptr<std::string>>>;

struct Describe {
  std::size_t operator()(int value) const { return static_cast<std::size_t>(value); }
  std::size_t operator()(const std::string& text) const { return text.size(); }
  std::size_t operator()(const std::vector<std::shared_ptr<std::string>>& texts) const {
    return std::accumulate(texts.begin(), texts.end(), std::size_t{0},
                           [](std::size_t sum, const auto& text) { return sum + text->size(); });
  }
};

std::size_t churn(unsigned seed) {
  std::unordered_map<std::string, std::deque<std::unique_ptr<Aligned>>> table;
  std::list<Node> nodes;
  unsigned state = seed;
  for (int i = 0; i < 50000; i++) {
    state = state * 1664525U + 1013904223U;
    auto& queue = table[std::to_string(state % 997)];
    queue.push_back(std::make_unique<Aligned>(i));
    if (queue.size() > 20) queue.pop_front();
    switch (state >> 30) {
    case 0: nodes.emplace_back(i); break;
    case 1: nodes.emplace_back(std::string(state >> 8 & 255, 'x')); break;
    default: {
      std::vector<std::shared_ptr<std::string>> texts(state >> 8 & 7);
      for (auto& text : texts) text = std::make_shared<std::string>(state >> 12 & 127, 'y');
      nodes.emplace_back(std::move(texts));
    }
    }
    if (nodes.size() > 3000) nodes.pop_front();
  }
  std::size_t sum = 0;
  for (const auto& node : nodes) sum += std::visit(Describe{}, node);
  for (const auto& [key, queue] : table) sum += key.size() * queue.size();
  return sum;
}

} // namespace

int main() {
  for (auto value : fibonaccis(std::make_index_sequence<60>{})) std::cout << value << ' ';
  std::cout << '\n' << containers(std::make_index_sequence<10>{}) << '\n';
  static_assert(std::is_same_v<Reverse<List<int, char, long>>::type, List<long, char, int>>);

  std::vector<std::future<std::size_t>> results;
  for (unsigned seed = 1; seed <= 6; seed++) {
    results.push_back(std::async(std::launch::async, churn, seed));
  }
  for (auto& result : results) std::cout << result.get() << '\n';

  int caught = 0;
  for (int i = 0; i < 2000; i++) {
    try {
      throw std::runtime_error(std::string(static_cast<std::size_t>(i % 300), 'e'));
    } catch (const std::exception& error) {
      caught += error.what()[0] != 0;
    }
  }
  std::ostringstream text;
  for (int i = 0; i < 3000; i++) text << "key" << i << '=' << i * i << ';';
  std::cout << caught << ' ' << std::hash<std::string>{}(text.str()) << '\n';
}
