#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace miheap {

struct Block;
struct Heap;

// What one JavaScript environment (the main thread or a worker) holds. Only its own thread touches
// it. It outlives the environment as long as a heap or a record still points at it: `references`
// counts those, and one for the environment itself.
struct Environment {
  explicit Environment(napi_env env);

  static Environment& Of(napi_env env);

  void Retain() { references++; }
  void Release();

  // `callback` is what NoteFreed calls.
  void OnCollectWanted(Napi::FunctionReference callback);

  // Memory came back. After a burst of that, asks JavaScript once for a call of CollectIfIdle.
  void NoteFreed(size_t bytes);

  // Returns free memory to the system, unless blocks came or went since the last call: false then.
  bool CollectIfIdle();

  napi_env const env;
  // False where the runtime only takes memory that it allocated itself.
  bool external;
  std::unordered_map<void*, Block*> blocks; // live ones, by address
  Heap* heaps = nullptr;                    // list of those with an mi_heap_t
  uint64_t operations = 0;                  // blocks handed out and given back so far

  // For the environment's own end: no JavaScript is called from here on.
  void Close();

private:
  ~Environment() = default;

  size_t references = 1;
  Napi::FunctionReference request_collect;
  size_t freed = 0;
  bool collect_requested = false;
  uint64_t operations_seen = 0;
};

} // namespace miheap
