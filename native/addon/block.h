#pragma once

#include <napi.h>

#include <cstddef>
#include <new>

#include <miheap.h>

#include "memory.h"
#include "status.h"

namespace miheap {

struct Environment;
struct Heap;

// The record of one block handed to JavaScript. The block is freed exactly once: whoever comes
// first (free, realloc, transfer, destroy, or the finaliser) spends the record. The record itself
// lives until the finaliser of the ArrayBuffer has run, whenever that is, since the runtime holds
// its address.
struct Block {
  // Hands `memory` out: as a Buffer over an ArrayBuffer of its own, or as that ArrayBuffer if the
  // memory is the runtime's. Null if that fails: `memory` is the caller's then.
  static napi_value HandOut(Heap& heap, const Memory& memory);
  // As HandOut, over memory that the runtime allocates itself.
  static napi_value HandOutInternal(Heap& heap, size_t size, size_t alignment, Status& status);
  // The same in place of `old_buffer`, which shows this block, with the bytes that both have.
  napi_value ReplaceInternal(napi_value old_buffer, size_t size, Status& status);

  // The live block that `buffer` shows, or null and the reason. `buffer` may be any value.
  static Block* Find(Environment& environment, napi_value buffer, Status& status);
  // As above, and it must be of `heap`.
  static Block* Find(Heap& heap, napi_value buffer, Status& status);

  // The ArrayBuffer, if it is alive and still shows this block; else null. Needs a handle scope.
  napi_value Buffer() const;
  // True if the garbage collector has found the ArrayBuffer. Needs a handle scope.
  bool IsCollected() const;
  // True if JavaScript has moved the memory to another ArrayBuffer, and nobody told. False if the garbage
  // collector has found the one that showed it.
  bool IsMoved() const;
  // From now on the garbage collector does not find the ArrayBuffer, if it has not yet.
  void Keep() const;

  // Detaches `buffer`, which shows this block, and spends the record. The memory is the caller's now.
  // False if the buffer cannot be detached, and nothing has changed.
  bool Detach(napi_value buffer, Memory& taken);
  // Spends the record of a buffer that was collected, and frees the memory, unless it is left. Returns
  // how many bytes came back.
  size_t Free();

  // Records are made and deleted as often as blocks are.
  static void* operator new(size_t size, const std::nothrow_t&) noexcept { return mi_malloc(size); }
  static void operator delete(void* record) noexcept { mi_free(record); }

  Memory memory; // nowhere until handed out, and once spent
  Heap* heap;
  Environment& environment;
  Block* next = nullptr;     // of the heap
  Block* previous = nullptr; // of the heap
  Block* table_next = nullptr;

  // For the sentinel.
  size_t number = 0;    // the environment's first block is 1; the runtime's memory has none
  bool is_left = false; // the memory stays for ever

private:
  explicit Block(Heap& heap);
  static void Finalize(napi_env env, void* data, void* hint);
  // A record that `buffer` will be shown by, and where its memory is. Whoever does not publish it
  // leaves it to the garbage collector.
  static Block* MakeInternal(Heap& heap, size_t size, size_t alignment, napi_value& buffer,
                             void*& start, Status& status);
  void Publish(const Memory& memory, napi_value buffer);
  void Show(Heap& owner, const Memory& memory, napi_value buffer);
  // Takes the record out of every list.
  Memory Spend();

  napi_ref buffer_ = nullptr; // weak; gone once spent
};

} // namespace miheap
