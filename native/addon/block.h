#pragma once

#include <napi.h>

#include <cstddef>
#include <new>
#include <optional>

#include <miheap.h>

#include "memory.h"
#include "status.h"

namespace miheap {

struct Block;
struct Environment;
struct Heap;

// A block, or null and the reason.
struct Found {
  Block* block;
  Status status;
};

// A buffer, or null and the reason.
struct HandedOut {
  napi_value buffer;
  Status status;
};

// What is left to do for a new block when nothing else can fail, given the start of its memory. If it
// answers another status than kOk, the block is taken back, and that is the reason. A reference to
// what is called, so that nothing is allocated.
class LastStep {
public:
  template <typename Step>
  LastStep(const Step& step)
      : step_(&step), run_([](const void* called, void* start) {
          return (*static_cast<const Step*>(called))(start);
        }) {}
  Status operator()(void* start) const { return run_(step_, start); }

private:
  const void* const step_;
  Status (*const run_)(const void* called, void* start);
};
inline constexpr auto kNothing = [](void*) { return Status::kOk; };

// The record of one block handed to JavaScript. The block is freed exactly once: the first of free,
// realloc, transfer, destroy and the finaliser spends the record. The record lives until the
// finaliser of the ArrayBuffer has run, since the runtime holds its address.
struct Block {
  // Hands out `memory`, which is the core's, as a Buffer over an ArrayBuffer of its own. If that
  // fails, the caller still owns `memory`.
  static HandedOut HandOut(Heap& heap, const Memory& memory, const LastStep& last = kNothing);
  // Hands out an ArrayBuffer over memory that the runtime allocates.
  static HandedOut
  HandOutInternal(Heap& heap, size_t size, size_t alignment, const LastStep& last = kNothing);
  // Like HandOutInternal, in place of `old_buffer`, which shows this block. Copies the bytes that
  // both have.
  HandedOut ReplaceInternal(napi_value old_buffer, size_t size);

  // The live block that `buffer` shows. `buffer` may be any value.
  static Found Find(Environment& environment, napi_value buffer);
  // Finds only blocks of `heap`.
  static Found Find(Heap& heap, napi_value buffer);

  // The ArrayBuffer, if it is alive and still shows this block; else null. Needs a handle scope.
  napi_value Buffer() const;
  // True if the ArrayBuffer was collected. Needs a handle scope.
  bool IsCollected() const;
  // True if JavaScript has moved the memory to another ArrayBuffer without telling us. False if the
  // ArrayBuffer that showed it was collected.
  bool IsMoved() const;
  // Keeps the ArrayBuffer from being collected, if it was not yet.
  void Keep() const;

  // Detaches `buffer`, which shows this block, and spends the record. The caller owns the memory
  // then, and must not use the record: it may be deleted. Nothing if the buffer cannot be detached;
  // then nothing has changed.
  std::optional<Memory> Detach(napi_value buffer);
  // The same, for a buffer that is known not to be immutable.
  std::optional<Memory> DetachMutable(napi_value buffer);
  // Spends the record of a buffer that was collected, and frees the memory unless `is_left`.
  // Returns the bytes that came back.
  size_t Free();

  // Records come from the core: they are made and deleted as often as blocks are.
  static void* operator new(size_t size, const std::nothrow_t&) noexcept { return mi_malloc(size); }
  static void operator delete(void* record) noexcept { mi_free(record); }

  Memory memory; // without a start until handed out, and once spent
  Heap* heap;
  Environment& environment;
  Block* next = nullptr;     // in the heap's list
  Block* previous = nullptr; // in the heap's list
  Block* table_next = nullptr;
  Block* table_previous = nullptr;

  // For the sentinel.
  size_t number = 0;    // from 1 in each environment; 0 if the memory is the runtime's
  bool is_left = false; // the memory is never freed

private:
  explicit Block(Heap& heap);
  static void Finalize(napi_env env, void* data, void* hint);
  // A record for a new ArrayBuffer over the runtime's memory at `start`, or null and the reason. If
  // it is not published, the finaliser deletes it.
  struct Internal {
    Block* block;
    Status status;
    napi_value buffer = nullptr;
    void* start = nullptr;
  };
  static Internal MakeInternal(Heap& heap, size_t size, size_t alignment);
  // Makes a new block known. If that fails, detaches `buffer`, and the caller still owns `memory`.
  Status Publish(const Memory& memory, napi_value buffer, const LastStep& last);
  void Show(Heap& owner, const Memory& memory, napi_value buffer);
  // To be called for a new block. False if it has its address in common with another, and that
  // could not be noted.
  bool NoteTwin(napi_value buffer);
  // Takes the record out of every list, and returns its memory.
  Memory Spend();

  napi_ref buffer_ = nullptr; // weak; gone once spent
  bool is_twin_ = false;      // `environment.twins` has it
};

} // namespace miheap
