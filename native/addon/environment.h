#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "block_table.h"
#include "pace.h"
#include "sentinel.h"
#include "twins.h"

namespace miheap {

// What one JavaScript environment (the main thread or a worker) holds. Only its own thread touches
// it. It outlives the environment while heaps, blocks or sentinels still point to it: `references_`
// counts these, and one for the environment itself.
struct Environment {
  explicit Environment(napi_env env);

  static Environment& Of(napi_env env);

  void Retain() { references_++; }
  void Release();

  // Has NoteFreed call `callback`, which is held weakly. If lib/ was loaded several times, as by
  // test environments, NoteFreed calls the last callback that is alive. Calls it at once if a
  // collection is wanted already.
  void OnCollectWanted(napi_value callback);

  // Counts a block or heap, and the `bytes` that came back with it. After a burst, asks JavaScript
  // to call CollectIfIdle in a while.
  void NoteFreed(size_t bytes);

  // An ArrayBuffer over memory of the runtime, all zero, at `start`. Null, and no exception, if
  // there is no memory: napi_create_arraybuffer would end the process.
  napi_value NewArrayBuffer(size_t size, void** start) const;

  // Whether the ArrayBuffer is the result of transferToImmutable: the runtime ends the process if
  // one is to be detached.
  bool IsImmutable(napi_value buffer) const;

  // If NoteFreed asked for it, returns a part of the free memory to the system, and asks JavaScript
  // for another call soon, until all is returned. If blocks came or went since the last call, it
  // returns only what was free for the delay, and then asks for another call in a while. What is
  // free between blocks is looked for every now and then.
  void CollectIfIdle();

  // Has the garbage collector find everything that is unreachable. Finalisers run later, from the
  // event loop. Does nothing and returns false if that would take more than a tenth of the time,
  // unless GarbageWasWorthIt was called since the last time.
  bool CollectGarbage();
  // Like CollectGarbage, however long it takes.
  void CollectGarbageNow();
  void GarbageWasWorthIt() { garbage_collection_.Reset(); }

  napi_env const env;
  // False where the runtime only takes memory that it allocated itself.
  bool external;
  BlockTable blocks;
  Twins twins;
  Sentinel sentinel;
  uint64_t operations = 0; // blocks handed out, blocks and heaps given back, so far

  // Call this as the environment ends. No JavaScript is called afterwards, and its tokens end.
  void Close();

private:
  ~Environment() = default;

  // The last callback that is alive, or null. Needs a handle scope.
  napi_value CollectCallback() const;
  // Asks JavaScript to call CollectIfIdle in a while, or soon, and sets collect_requested_ if it
  // could.
  enum class When { kInAWhile, kSoon };
  void RequestCollect(When when);

  size_t references_ = 1;
  std::vector<Napi::FunctionReference> collect_callbacks_; // weak
  // As they were when this module was loaded: the constructor, and the getter of `immutable`, if
  // this runtime has one.
  Napi::FunctionReference array_buffer_;
  Napi::FunctionReference is_immutable_;
  size_t freed_ = 0;
  bool collect_requested_ = false;
  uint64_t operations_seen_ = 0;
  uint32_t busy_looks_ = 0;  // of CollectIfIdle, while the program was not idle
  size_t purge_place_ = 0;   // see mi_process_purge_part
  bool more_is_due_ = false; // see mi_process_purge_some
  Pace garbage_collection_;
};

} // namespace miheap
