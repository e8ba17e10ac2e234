#pragma once

#include <napi.h>

#include <cstddef>
#include <optional>

namespace miheap {

struct Block;
struct Environment;
struct Heap;

// Keeps memory that another thread may have from being freed as a worker ends.
//
// JavaScript can move the memory of our ArrayBuffers to others without telling us, by a byte stream or
// ArrayBuffer.prototype.transfer, and these can go to another thread. When an environment ends, the runtime has the
// memory of all its external buffers freed, whoever has it now: the newest buffer first. So we look what was moved when
// an external buffer of our own, the sentinel, goes: blocks that are older than it are as JavaScript left them. Where
// the runtime frees later (Node 18), a hook beside it looks, which runs in the same order. What was moved then stays
// for ever.
//
// A new sentinel is placed now and then, as a worker ends by itself, and for each block that it makes from then on. Of a
// worker that is terminated, the blocks that came after the last sentinel are freed in any case.
//
// A block whose ArrayBuffer was collected is garbage, or was moved before. As a worker ends by itself all garbage is
// collected and freed, and nothing of what is left is collected any more: what was, was moved. Of other blocks it is
// taken for moved if another one was seen to be.
class Sentinel {
public:
  explicit Sentinel(Environment& environment) : environment_(environment) {}

  // The environment is a worker's. (The main thread ends last.)
  void Enable();
  // A block of `heap` has been handed out. Returns its number.
  size_t NoteHandedOut(const Heap& heap);
  // JavaScript is about to end by itself; its exit listeners may still run.
  void BeforeEnd();
  void Close();

private:
  static constexpr size_t kEvery = 32;

  void Place();
  // Among the newest blocks, whose ArrayBuffers are likely not collected yet.
  void LookForMoves(const Heap& heap);
  void LeaveMoved();
  bool IsOlder(const Block& block) const;
  // If its ArrayBuffer was collected, the block was moved before.
  bool WasKept(const Block& block) const;
  static void OnHook(void* data);
  static void OnEnd(napi_env env, void* data, void* environment);

  Environment& environment_;
  bool enabled_ = false;
  bool finalises_late_ = false; // garbage may not be finalised yet when the hook runs
  size_t handed_out_ = 0;
  size_t older_ = 0;               // of these, when the buffer was made
  napi_ref buffer_ = nullptr;      // strong, so that it goes with the environment
  char* data_ = nullptr;           // of that buffer, to tell it from those before it
  bool moves_ = false;             // some block was seen to be moved
  std::optional<size_t> ended_at_; // how many had been handed out as JavaScript ended by itself
  bool hooked_ = false;
  bool has_looked_ = false;
};

} // namespace miheap
