// The destructors of thread_local and static objects allocate, free what others left, and hand blocks on; also
// when thread-local ones run after or before miheap's own end of the thread.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "ours.h"

namespace {

constexpr int threads = 200;
std::atomic<std::string*> handed_on{nullptr};
std::atomic<int> destroyed{0};

struct keeper_t {
  std::vector<std::string> strings;
  void keep(int count) {
    for (int i = 0; i < count; i++) strings.push_back(std::string(100 + i, 'k'));
  }
  ~keeper_t() {
    for (const auto& s : strings) CHECK_EQ(s.back(), 'k');
    keep(1000);
    delete handed_on.exchange(new std::string(strings.back()));
    destroyed++;
  }
};

thread_local keeper_t of_thread;
thread_local keeper_t second;

// Constructed for the first time in another's destructor.
struct chain_t {
  ~chain_t() { second.keep(10); }
};
thread_local chain_t chain;

struct process_t {
  std::vector<std::string*> strings;
  ~process_t() {
    for (auto* s : strings) delete s;
    keeper_t late;
    late.keep(1000);
    delete handed_on.exchange(nullptr);
  }
} of_process;

void work() {
  (void)&chain;
  of_thread.keep(100);
}

} // namespace

int main() {
  for (int i = 0; i < threads; i++) std::thread(work).join();
  CHECK_EQ(destroyed >= threads, true);
  for (int i = 0; i < 1000; i++) of_process.strings.push_back(new std::string(1000, 'p'));
  of_thread.keep(100); // main's
  std::thread([] {
    for (;;) delete[] static_cast<char*>(opaque(new char[1000]));
  }).detach();
  return 0;
}
