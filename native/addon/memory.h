#pragma once

#include <atomic>
#include <cstddef>

#include <miheap.h>

namespace miheap {

// Memory of the core that blocks and tokens of any thread own together. The last to let go frees it.
struct Shared {
  void Retain();
  // True if this was the last owner, and the memory is free.
  bool Release();
  // Nobody else has it; then nobody else can come to it, since only an owner adds owners.
  bool IsSole() const;

  void* const start;
  const size_t size;
  const size_t alignment;
  std::atomic<size_t> owners{1};
};

// What a block shows. A plain value: who holds it frees it, once.
struct Memory {
  // Memory of the core; `start` is null if there is none.
  static Memory Take(mi_heap_t* heap, size_t size, size_t alignment, bool zero);
  // Memory that the runtime has allocated and will free itself.
  static Memory OfRuntime(void* start, size_t size, size_t alignment);
  // Memory of `shared`: one of its owners, whom the caller has counted.
  static Memory Of(Shared* shared);

  // Not for what is shared or the runtime's. False if there is no memory, and nothing has changed.
  bool Resize(mi_heap_t* heap, size_t new_size);
  // As Resize, to what there is room for: if the core has no memory to move it to, it stays.
  void Refit(mi_heap_t* heap, size_t new_size);
  // The Shared that owns this memory from now on; null if there is no memory for one.
  Shared* Share();
  // Shared no longer if nobody else has it.
  void Unshare();
  // Returns how many bytes came back: none while others still own them.
  size_t Free() const;

  void* start = nullptr;
  size_t size = 0;
  size_t alignment = 0; // 0 if none was asked for
  Shared* shared = nullptr;
  bool of_runtime = false;
};

// What the whole process holds, all threads together. Memory that is shared counts once.
size_t BytesHeld();
size_t BlocksHeld();

} // namespace miheap
