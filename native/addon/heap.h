#pragma once

#include <napi.h>

#include <cstddef>

#include <miheap.h>

#include "pace.h"
#include "size_classes.h"

namespace miheap {

struct Block;
struct Environment;

// A heap as JavaScript sees it: an mi_heap_t and the blocks handed out from it. It lives until the
// façade is gone and every block is spent. Only the environment's thread touches it.
struct Heap {
  static Heap* Create(Environment& environment, double limit);

  // Detaches every ArrayBuffer that still shows a block, and frees the block. The finaliser frees
  // the other blocks: the ArrayBuffer was collected or cannot be detached, or JavaScript moved the
  // memory.
  void Destroy();
  // Call this when the façade was collected. Blocks stay valid.
  void Abandon();

  // True if the heap may hold `size` bytes more once `released` bytes are gone.
  bool Allows(size_t size, size_t released) const;
  // To be called when Allows is false. Runs the garbage collector, if that is worth it. True if
  // bytes came back at once. Most memory comes back when finalisers run; WaitingBytes says how
  // much.
  bool Recover();
  // Bytes of blocks whose ArrayBuffer was collected and whose finaliser has not run. Counting takes
  // time in proportion to the blocks; if called often, returns the last count.
  size_t WaitingBytes();

  void Add(Block& block);
  void Remove(Block& block);
  // Counts a block of `size` bytes that was added, unless Detach has only put it back.
  void NoteNew(size_t size);
  // To be called when the last block may have been spent.
  void DeleteIfUnused();

  mi_heap_t* heap; // null once destroyed
  Environment& environment;

  double limit; // bytes, or infinity
  Block* blocks = nullptr;
  size_t block_count = 0;
  size_t bytes = 0; // as asked for
  size_t peak_bytes = 0;
  size_t allocated = 0; // blocks handed out so far
  size_t collected = 0; // of these, blocks that came back by garbage collection
  SizeClasses sizes;

private:
  Heap(Environment& environment, mi_heap_t* heap, double limit);

  bool has_facade_ = true;
  double bytes_until_recovery_ = 0;
  Pace patience_;
  size_t waiting_bytes_ = 0;
  Pace counting_;
};

} // namespace miheap
