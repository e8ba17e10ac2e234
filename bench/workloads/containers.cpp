// Containers of C++ that allocate a node for each element: a tree of strings and a hash table of
// vectors, which are filled and thinned out at random. SIZE: operations by each thread.
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "workload.h"

static size_t operations;

static std::string text_of(random_t* random) {
  return std::string(random_size(random, 4, 200),
                     static_cast<char>('a' + random_below(random, 26)));
}

static uint64_t work(unsigned index) {
  random_t random = {index};
  std::map<uint64_t, std::string> ordered;
  std::unordered_map<uint64_t, std::vector<unsigned>> hashed;
  uint64_t checksum = 0;
  for (size_t i = 0; i < operations; i++) {
    uint64_t key = random_below(&random, 50000);
    switch (random_below(&random, 6)) {
    case 0:
    case 1: ordered[key] = text_of(&random); break;
    case 2: ordered.erase(key); break;
    case 3:
    case 4: hashed[key].push_back(static_cast<unsigned>(i)); break;
    default: hashed.erase(key);
    }
  }
  uint64_t last = 0;
  for (const auto& [key, text] : ordered) {
    if (key < last) fail("not ordered");
    last = key;
    checksum = mix(checksum ^ (key + text.size()));
  }
  uint64_t sum = 0; // a sum, since the order of a hash table is up to the library
  for (const auto& [key, numbers] : hashed) sum += mix(key ^ numbers.size());
  return checksum ^ sum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 3000000, 1);
  operations = given.size;
  return finish(sum_threads(given.threads, work));
}
