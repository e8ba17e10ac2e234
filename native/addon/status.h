#pragma once

namespace miheap {

// What a call of the addon answers when it has no value to return. lib/native.ts has the same list.
enum class Status : int {
  kOk = 0,
  kNotOwned = -1,  // no live block of this environment is at that address
  kOtherHeap = -2, // a live block, but of another heap
  kDetached = -3,  // freed, transferred away, or its heap was destroyed
  kNoMemory = -4,
  kLimit = -5,         // the heap's byte limit would be passed
  kUnaligned = -6,     // the runtime owns the memory and cannot align it as asked
  kNoBuffer = -7,      // not an ArrayBuffer
  kNoToken = -8,       // no such token is waiting
  kNotDetachable = -9, // the heap of an asm.js module, or immutable
};

} // namespace miheap
