#pragma once

#include <atomic>
#include <cstddef>

#include <miheap.h>

namespace miheap {

// Memory of the core that blocks and tokens of any thread own together. The last owner frees it.
struct Shared {
  void Retain();
  // Returns about how many bytes came back: 0 while the memory has other owners.
  size_t Release();
  // True if the caller is the only owner. No other can appear, since only an owner adds owners.
  bool IsSole() const;

  void* const start;
  const size_t size;
  const size_t alignment;
  std::atomic<size_t> owners{1};
};

// The memory of a block. A plain value: its holder frees it, exactly once.
struct Memory {
  // Allocates from the core. `start` is null if there is no memory.
  static Memory Take(mi_heap_t* heap, size_t size, size_t alignment, bool zero);
  // Memory that the runtime has allocated and will free itself.
  static Memory OfRuntime(void* start, size_t size, size_t alignment);
  // An owner of `shared`, which the caller has counted.
  static Memory Of(Shared* shared);

  // Not for memory that is shared or the runtime's. False if there is no memory; then nothing has
  // changed.
  bool Resize(mi_heap_t* heap, size_t new_size);
  // Like Resize, to a size that there is room for: without memory to move to, the block stays.
  void Refit(mi_heap_t* heap, size_t new_size);
  // Makes the memory shared. Returns null if there is no memory for a Shared.
  Shared* Share();
  // Undoes Share, unless the memory has other owners.
  void Unshare();
  // Returns about how many bytes came back: 0 while the memory has other owners.
  size_t Free() const;

  void* start = nullptr;
  size_t size = 0;
  size_t alignment = 0; // 0 if none was asked for
  Shared* shared = nullptr;
  bool of_runtime = false;
};

// What all threads of the process hold together. Shared memory counts once.
size_t BytesHeld();
size_t BlocksHeld();

} // namespace miheap
