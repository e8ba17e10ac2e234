#include "memory.h"

#include <algorithm>
#include <new>

namespace miheap {

namespace {

// Relaxed: only statistics read these.
std::atomic<size_t> bytes_held{0};
std::atomic<size_t> blocks_held{0};

// About the memory that a block takes. A small one with a large alignment lies alone there.
size_t Cost(size_t size, size_t alignment) { return std::max(size, alignment); }

void Hold(size_t size) {
  bytes_held.fetch_add(size, std::memory_order_relaxed);
  blocks_held.fetch_add(1, std::memory_order_relaxed);
}

void LetGo(size_t size) {
  bytes_held.fetch_sub(size, std::memory_order_relaxed);
  blocks_held.fetch_sub(1, std::memory_order_relaxed);
}

void* Allocate(mi_heap_t* heap, size_t size, size_t alignment, bool zero) {
  if (alignment == 0) return zero ? mi_heap_zalloc(heap, size) : mi_heap_malloc(heap, size);
  return zero ? mi_heap_zalloc_aligned(heap, size, alignment)
              : mi_heap_malloc_aligned(heap, size, alignment);
}

} // namespace

size_t BytesHeld() { return bytes_held.load(std::memory_order_relaxed); }
size_t BlocksHeld() { return blocks_held.load(std::memory_order_relaxed); }

// Relaxed: the caller is an owner, so the memory cannot be freed meanwhile.
void Shared::Retain() { owners.fetch_add(1, std::memory_order_relaxed); }

size_t Shared::Release() {
  // Release: what this owner did to the memory comes before the free. Acquire: the last owner,
  // which frees it, sees what all did.
  if (owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return 0;
  const size_t bytes = Cost(size, alignment);
  mi_free(start);
  LetGo(size);
  delete this;
  return bytes;
}

// Acquire: what former owners did comes before what the only owner does next.
bool Shared::IsSole() const { return owners.load(std::memory_order_acquire) == 1; }

Memory Memory::Take(mi_heap_t* heap, size_t size, size_t alignment, bool zero) {
  Memory memory;
  memory.start = Allocate(heap, size, alignment, zero);
  memory.size = size;
  memory.alignment = alignment;
  if (memory.start != nullptr) Hold(size);
  return memory;
}

Memory Memory::OfRuntime(void* start, size_t size, size_t alignment) {
  Memory memory;
  memory.start = start;
  memory.size = size;
  memory.alignment = alignment;
  memory.of_runtime = true;
  Hold(size);
  return memory;
}

Memory Memory::Of(Shared* shared) {
  Memory memory;
  memory.start = shared->start;
  memory.size = shared->size;
  memory.alignment = shared->alignment;
  memory.shared = shared;
  return memory;
}

bool Memory::Resize(mi_heap_t* heap, size_t new_size) {
  void* const moved = alignment == 0 ? mi_heap_realloc(heap, start, new_size)
                                     : mi_heap_realloc_aligned(heap, start, new_size, alignment);
  if (moved == nullptr) return false;
  LetGo(size);
  Hold(new_size);
  start = moved;
  size = new_size;
  return true;
}

void Memory::Refit(mi_heap_t* heap, size_t new_size) {
  if (Resize(heap, new_size)) return;
  LetGo(size);
  Hold(new_size);
  size = new_size;
}

Shared* Memory::Share() {
  if (shared == nullptr) shared = new (std::nothrow) Shared{start, size, alignment};
  return shared;
}

void Memory::Unshare() {
  if (shared == nullptr || !shared->IsSole()) return;
  delete shared;
  shared = nullptr;
}

size_t Memory::Free() const {
  if (shared != nullptr) return shared->Release();
  LetGo(size);
  if (!of_runtime) mi_free(start);
  return Cost(size, alignment);
}

} // namespace miheap
