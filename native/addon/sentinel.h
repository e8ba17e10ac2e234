#pragma once

#include <napi.h>

#include <cstddef>
#include <optional>

namespace miheap {

struct Block;
struct Environment;
struct Heap;

// Keeps the end of a worker from freeing memory that another thread may use.
//
// With a byte stream or ArrayBuffer.prototype.transfer, JavaScript can move the memory of our
// ArrayBuffers to new ones, which can go to another thread, without telling us. When an environment
// ends, the runtime frees the memory of all its external buffers, moved or not, the newest first.
// So we look for moved blocks when it frees an external buffer of our own, the sentinel: all blocks
// older than the sentinel are still as JavaScript left them. Node 18 frees later; there a cleanup
// hook looks instead, and hooks run in the same order. Memory that was moved is never freed.
//
// A new sentinel is placed every kEvery blocks, when a worker ends by itself, and for each block
// that the worker makes after that. If a worker is terminated, blocks newer than its last sentinel
// are freed even if they were moved.
//
// A block whose ArrayBuffer was collected is garbage, or its memory was moved before. A worker that
// ends by itself first frees all garbage, and then lets no ArrayBuffer be collected: blocks whose
// ArrayBuffer was collected all the same were moved. Any other such block is taken for moved if
// some block was seen to be moved.
class Sentinel {
public:
  explicit Sentinel(Environment& environment) : environment_(environment) {}

  // To be called in a worker. The main thread needs no sentinel, since it ends last.
  void Enable();
  // Counts a block of `heap` that is being handed out. Returns its number.
  size_t NoteHandedOut(const Heap& heap);
  // To be called when JavaScript is about to end by itself. Its exit listeners may still run.
  void BeforeEnd();
  void Close();

private:
  static constexpr size_t kEvery = 32;

  void Place();
  // Looks at the newest blocks of `heap`, whose ArrayBuffers are likely not collected yet.
  void LookForMoves(const Heap& heap);
  void LeaveMoved();
  bool IsOlder(const Block& block) const;
  // True if garbage was freed after `block` was made: if its ArrayBuffer was collected, it was
  // moved.
  bool WasKept(const Block& block) const;
  static void OnHook(void* data);
  static void OnEnd(napi_env env, void* data, void* environment);

  Environment& environment_;
  bool enabled_ = false;
  bool finalises_late_ = false; // garbage may not be finalised yet when the hook runs
  size_t handed_out_ = 0;
  size_t older_ = 0;               // handed_out_ when the sentinel was placed
  napi_ref buffer_ = nullptr;      // the sentinel; strong, so that it goes with the environment
  char* data_ = nullptr;           // its memory, which tells it from earlier sentinels
  bool moves_ = false;             // some block was seen to be moved
  std::optional<size_t> ended_at_; // handed_out_ when JavaScript ended by itself
  bool hooked_ = false;
  bool has_looked_ = false;
};

} // namespace miheap
