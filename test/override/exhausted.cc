// The address space runs out under several threads, which get std::bad_alloc and NULL with ENOMEM, free what they
// have and go on; and it is there again afterwards.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <new>
#include <thread>
#include <vector>

#include "ours.h"

namespace {

constexpr size_t mib = size_t{1} << 20;
constexpr int threads = 4;
constexpr int rounds = 20;

size_t address_space() {
  unsigned long pages = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  CHECK(f != nullptr && fscanf(f, "%lu", &pages) == 1);
  fclose(f);
  return pages * 4096;
}

void limit(size_t bytes) {
  rlimit r;
  CHECK_EQ(getrlimit(RLIMIT_AS, &r), 0);
  r.rlim_cur = bytes == 0 ? r.rlim_max : bytes;
  CHECK_EQ(setrlimit(RLIMIT_AS, &r), 0);
}

std::atomic<int> failures{0};

// Until there is no more; then all of it is given back. The last block may take a byte or the limit.
void fill(size_t size) {
  void** list = nullptr;
  size_t count = 0;
  try {
    for (;;) {
      void** block = static_cast<void**>(opaque(::operator new(size)));
      *block = list;
      list = block;
      count++;
    }
  } catch (const std::bad_alloc&) {
    failures++;
  }
  errno = 0;
  void* p = opaque(malloc(opaque_size(size + 1024 * mib)));
  CHECK(p == nullptr);
  CHECK_EQ(errno, ENOMEM);
  while (list != nullptr) {
    void** next = static_cast<void**>(*list);
    ::operator delete(list);
    list = next;
    count--;
  }
  CHECK_EQ(count, 0);
}

void work(int number) {
  static const size_t sizes[] = {3000000, 100000, 9000000, 20000, 500000};
  for (int i = 0; i < rounds; i++) fill(sizes[(number + i) % 5]);
}

} // namespace

int main() {
  std::vector<std::thread> workers;
  std::atomic<bool> go{false};
  for (int i = 0; i < threads; i++) {
    workers.emplace_back([i, &go] {
      while (!go) std::this_thread::yield();
      work(i);
    });
  }
  limit(address_space() + 100 * mib);
  go = true;
  for (auto& worker : workers) worker.join();
  CHECK_EQ(failures, threads * rounds);
  // What the threads filled can be had in one piece, and in small ones.
  fill(30 * mib);
  fill(1000);
  CHECK_EQ(failures, threads * rounds + 2);
  limit(0);
  std::vector<char> large(500 * mib);
  large[0] = large[large.size() - 1] = 1;
  return 0;
}
