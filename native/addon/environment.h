#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "block_table.h"
#include "pace.h"
#include "sentinel.h"

namespace miheap {

struct Heap;

// What one JavaScript environment (the main thread or a worker) holds. Only its own thread touches
// it. It outlives the environment as long as a heap or a record still points at it: `references_`
// counts those, and one for the environment itself.
struct Environment {
  explicit Environment(napi_env env);

  static Environment& Of(napi_env env);

  void Retain() { references_++; }
  void Release();

  // `callback` is what NoteFreed calls, unless the garbage collector has found it. When the module was loaded
  // several times, as by test environments, that is the last one that is alive.
  void OnCollectWanted(napi_value callback);

  // Memory came back. After a burst of that, asks JavaScript once for a call of CollectIfIdle.
  void NoteFreed(size_t bytes);

  // An ArrayBuffer over memory of the runtime's own, all zero, and where that is. Null, and no exception,
  // if there is no memory: napi_create_arraybuffer would end the process.
  napi_value NewArrayBuffer(size_t size, void** start) const;

  // Returns free memory to the system.
  void Collect();
  // The same, unless blocks came or went since the last call: false then.
  bool CollectIfIdle();

  // Has the garbage collector find everything that is unreachable. Its finalisers run later, from the
  // event loop. False if it would take more than a tenth of the time, and was not worth it the last
  // time.
  bool CollectGarbage();
  // The same, whatever it takes.
  void CollectGarbageNow();
  void GarbageWasWorthIt() { garbage_collection_.Reset(); }

  napi_env const env;
  // False where the runtime only takes memory that it allocated itself.
  bool external;
  BlockTable blocks;
  Sentinel sentinel;
  Heap* heaps = nullptr;   // list of those with an mi_heap_t
  uint64_t operations = 0; // blocks handed out and given back so far

  // For the environment's own end: no JavaScript is called from here on, and nobody can adopt what its
  // tokens stand for.
  void Close();

private:
  ~Environment() = default;

  napi_value RequestCollect() const;

  size_t references_ = 1;
  std::vector<Napi::FunctionReference> request_collect_; // weak
  Napi::FunctionReference array_buffer_; // the constructor, as it was when this module was loaded
  size_t freed_ = 0;
  bool collect_requested_ = false;
  uint64_t operations_seen_ = 0;
  Pace garbage_collection_;
};

} // namespace miheap
