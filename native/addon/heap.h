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
// façade is gone and every block is spent. All of it belongs to the environment's thread.
struct Heap {
  static Heap* Create(Environment& environment, double limit);

  // Detaches every ArrayBuffer that still shows a block, and frees the block. Where none does,
  // it was collected, or the block was moved out of sight: the finaliser will free that one, and
  // what cannot be detached.
  void Destroy();
  // The façade was collected. Blocks stay valid.
  void Abandon();

  // True if the heap may hold `size` bytes more once `released` bytes are gone.
  bool Allows(size_t size, size_t released) const;
  // For when it may not: has the garbage collector look. True if that gave bytes back at once. Most
  // memory comes back later, when finalisers run; WaitingBytes says how much.
  bool Recover();
  // Bytes whose ArrayBuffer has been collected and whose finaliser has not run. Counting takes time
  // in proportion to the blocks; called often, it answers with what it last counted.
  size_t WaitingBytes();

  void Add(Block& block);
  void Remove(Block& block);
  // Of a block that was added and was never there before.
  void NoteNew(size_t size);
  // To be called when the last block may have gone.
  void DeleteIfUnused();

  mi_heap_t* heap; // null once destroyed
  Environment& environment;
  Heap* next;
  Heap* previous;

  double limit; // bytes, or infinity
  Block* blocks = nullptr;
  size_t block_count = 0;
  size_t bytes = 0; // as asked for
  size_t peak_bytes = 0;
  size_t allocated = 0; // blocks, ever
  size_t collected = 0; // of these, given back by the garbage collector
  SizeClasses sizes;

private:
  Heap(Environment& environment, mi_heap_t* heap, double limit);
  void Unlink();

  bool has_facade_ = true;
  double bytes_until_recovery_ = 0;
  Pace patience_;
  size_t waiting_bytes_ = 0;
  Pace counting_;
};

} // namespace miheap
