#include "heap.h"

#include <utility>

#include "block.h"
#include "environment.h"

namespace miheap {

namespace {

// If destroying a heap frees this much, the memory goes back to the system at once.
constexpr size_t kWorthReturning = size_t{1} << 20;
// About what a heap takes besides its blocks: its own memory, and pages that they did not fill.
constexpr size_t kOwnMemory = size_t{16} << 10;

} // namespace

Heap::Heap(Environment& owner, mi_heap_t* mi_heap, double most_bytes)
    : heap(mi_heap), environment(owner), limit(most_bytes) {
  environment.Retain();
}

Heap* Heap::Create(Environment& environment, double limit) {
  mi_heap_t* mi_heap = mi_heap_new();
  return mi_heap == nullptr ? nullptr : new Heap(environment, mi_heap, limit);
}

void Heap::DeleteIfUnused() {
  if (has_facade_ || blocks != nullptr) return;
  environment.Release();
  delete this;
}

void Heap::Destroy() {
  if (heap == nullptr) return;
  size_t freed = 0;
  for (Block* block = blocks; block != nullptr;) {
    Block* const following = block->next;
    Napi::HandleScope scope(environment.env);
    const napi_value buffer = block->Buffer();
    if (buffer != nullptr) {
      const std::optional<Memory> memory = block->Detach(buffer);
      if (memory.has_value()) freed += memory->Free();
    }
    block = following;
  }
  mi_heap_delete(std::exchange(heap, nullptr));
  if (freed >= kWorthReturning) mi_collect(true);
  environment.NoteFreed(freed + kOwnMemory);
}

void Heap::Abandon() {
  if (heap != nullptr) {
    mi_heap_delete(std::exchange(heap, nullptr));
    environment.NoteFreed(kOwnMemory);
  }
  has_facade_ = false;
  DeleteIfUnused();
}

bool Heap::Allows(size_t size, size_t released) const {
  return static_cast<double>(bytes - released) + static_cast<double>(size) <= limit;
}

bool Heap::Recover() {
  // Only new blocks become new garbage, but some old ones may have been live at the last
  // collection.
  if (bytes_until_recovery_ > 0 && !patience_.IsDue()) return false;
  {
    const Pace::Run run(patience_);
    if (!environment.CollectGarbage()) return false;
  }
  counting_.Reset();
  const double found = static_cast<double>(WaitingBytes());
  // A heap with hardly any garbage, such as a cache that frees what it evicts, will have none soon.
  bytes_until_recovery_ = found < limit / 16 ? limit : found / 2;
  if (found >= limit / 2) environment.GarbageWasWorthIt();
  if (environment.external) return false;
  // The runtime has already taken its memory back; only our count is late.
  const size_t before = bytes;
  for (Block* block = blocks; block != nullptr;) {
    Block* const following = block->next;
    Napi::HandleScope scope(environment.env);
    if (block->IsCollected()) {
      collected++;
      block->Free();
    }
    block = following;
  }
  return bytes < before;
}

size_t Heap::WaitingBytes() {
  if (counting_.IsDue()) {
    const Pace::Run run(counting_);
    waiting_bytes_ = 0;
    for (const Block* block = blocks; block != nullptr; block = block->next) {
      Napi::HandleScope scope(environment.env);
      if (block->IsCollected()) waiting_bytes_ += block->memory.size;
    }
  }
  return waiting_bytes_ < bytes ? waiting_bytes_ : bytes;
}

void Heap::Add(Block& block) {
  const size_t size = block.memory.size;
  block.next = blocks;
  block.previous = nullptr;
  if (blocks != nullptr) blocks->previous = &block;
  blocks = &block;
  block_count++;
  bytes += size;
  sizes.Add(size);
}

void Heap::NoteNew(size_t size) {
  allocated++;
  if (bytes > peak_bytes) peak_bytes = bytes;
  bytes_until_recovery_ -= static_cast<double>(size);
}

void Heap::Remove(Block& block) {
  if (block.next != nullptr) block.next->previous = block.previous;
  (block.previous != nullptr ? block.previous->next : blocks) = block.next;
  block_count--;
  bytes -= block.memory.size;
  sizes.Remove(block.memory.size);
}

} // namespace miheap
