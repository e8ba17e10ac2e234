#pragma once

#include <napi.h>

#include <cstddef>

#include <miheap.h>

#include "environment.h"
#include "status.h"

namespace miheap {

struct Block;

// A heap as JavaScript sees it: an mi_heap_t and the blocks handed out from it. It lives until the
// façade is gone and every block is spent. All of it belongs to the environment's thread.
struct Heap {
  static Heap* Create(Environment& environment, double limit);

  // Detaches every ArrayBuffer that still shows a block, and frees the block. A block whose
  // ArrayBuffer was moved by ArrayBuffer.prototype.transfer cannot be reached from here: it stays
  // valid until that one is collected.
  void Destroy();
  // The façade was collected. Blocks stay valid.
  void Abandon();

  // True if the heap may hold `size` bytes more once `released` bytes are gone.
  bool Allows(size_t size, size_t released) const;

  void Add(Block& block);
  void Remove(Block& block);

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

private:
  Heap(Environment& environment, mi_heap_t* heap, double limit);
  void Unlink();
  void DeleteIfUnused();

  bool has_facade = true;
};

void ExportHeap(Napi::Env env, Napi::Object exports);

} // namespace miheap
