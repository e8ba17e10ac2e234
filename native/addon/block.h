#pragma once

#include <napi.h>

#include <cstddef>

#include "environment.h"
#include "status.h"

namespace miheap {

struct Heap;

// The record of one block handed to JavaScript. The block is freed exactly once: whoever comes
// first (free, realloc, destroy, or the finaliser) spends the record. The record itself lives
// until the finaliser of the ArrayBuffer has run, whenever that is, since the runtime holds its
// address.
struct Block {
  // Hands `memory` out as a new ArrayBuffer, or returns null and leaves `memory` to the caller.
  static napi_value HandOut(Heap& heap, void* memory, size_t size, size_t alignment);
  // As HandOut, over memory that the runtime allocates itself.
  static napi_value HandOutInternal(Heap& heap, size_t size, size_t alignment, Status& status);

  // The live block that `buffer` shows, or null and the reason.
  static Block* Find(Environment& environment, napi_value buffer, Status& status);
  // As above, and it must be of `heap`.
  static Block* Find(Heap& heap, napi_value buffer, Status& status);

  // The ArrayBuffer, if it is alive and still shows this block; else null. Needs a handle scope.
  napi_value Buffer() const;

  // Takes the record out of every list. Returns the memory, now the caller's to free; null if the
  // runtime owns it.
  void* Spend();

  void* memory = nullptr; // null until handed out, and once spent
  const size_t size;
  const size_t alignment; // 0 if none was asked for
  Heap* heap;
  Environment& environment;
  napi_ref buffer = nullptr; // weak; gone once spent
  const bool external;
  Block* next = nullptr;
  Block* previous = nullptr;

private:
  Block(Heap& heap, size_t size, size_t alignment, bool external);
  static void Finalize(napi_env env, void* data, void* hint);
  void Publish(void* start, napi_value value);
};

// Of the whole process, all environments together.
size_t BytesHeld();
size_t BlocksHeld();

} // namespace miheap
