#include <algorithm>
#include <cstring>

#include "block.h"
#include "call.h"
#include "calls.h"
#include "environment.h"
#include "heap.h"

namespace miheap {

namespace {

// Answers a buffer over `memory`. If there is none, frees `memory`.
napi_value HandOutOrFree(napi_env env, Heap& heap, const Memory& memory) {
  const HandedOut handed_out = Block::HandOut(heap, memory);
  if (handed_out.buffer == nullptr) memory.Free();
  return Answer(env, handed_out);
}

napi_value Allocate(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const size_t size = arguments.SizeAt(1);
  const size_t alignment = arguments.SizeAt(2);
  if (!heap.Allows(size, 0)) return Answer(env, Status::kLimit);
  if (!heap.environment.external) {
    return Answer(env, Block::HandOutInternal(heap, size, alignment));
  }
  const Memory memory = Memory::Take(heap.heap, size, alignment, arguments.BoolAt(3));
  if (memory.start == nullptr) return Answer(env, Status::kNoMemory);
  return HandOutOrFree(env, heap, memory);
}

// A block of at least this size grows without a copy, before it is known whether its buffer can be
// detached.
constexpr size_t kWorthMoving = size_t{1} << 20;

// What came of giving a block another size. If `status` is kOk, the old buffer is detached and the
// caller owns `memory`. Otherwise nothing has changed.
struct Resized {
  Status status = Status::kOk;
  Memory memory{};
  size_t freed = 0; // bytes that came back
};

// For a block that has room for `size` bytes where it is.
Resized Refit(Heap& heap, Block& block, napi_value buffer, size_t size) {
  std::optional<Memory> memory = block.DetachMutable(buffer);
  if (!memory.has_value()) return {Status::kNotDetachable};
  const size_t freed = memory->size - std::min(size, memory->size);
  memory->Refit(heap.heap, size);
  return {Status::kOk, *memory, freed};
}

Resized Copy(Heap& heap, Block& block, napi_value buffer, size_t size) {
  const Memory copy = Memory::Take(heap.heap, size, block.memory.alignment, false);
  if (copy.start == nullptr) return {Status::kNoMemory};
  std::memcpy(copy.start, block.memory.start, std::min(size, block.memory.size));
  const std::optional<Memory> old = block.DetachMutable(buffer);
  if (!old.has_value()) {
    copy.Free();
    return {Status::kNotDetachable};
  }
  return {Status::kOk, copy, old->Free()};
}

// The core moves the memory before the buffer is detached: in the other order, the contents would
// be lost if the core had no memory. If the buffer then cannot be detached, which cannot be asked
// before, its views show memory that is gone, and the process must end.
Resized Grow(Heap& heap, Block& block, napi_value buffer, size_t size) {
  Memory memory = block.memory;
  if (!memory.Resize(heap.heap, size)) return {Status::kNoMemory};
  const size_t freed = memory.start == block.memory.start ? 0 : block.memory.size;
  // The record is wrong until it is spent. No JavaScript runs in between.
  if (!block.DetachMutable(buffer).has_value()) {
    napi_fatal_error(
        "miheap", NAPI_AUTO_LENGTH,
        "realloc of a buffer that cannot be detached: it is the heap of an asm.js module",
        NAPI_AUTO_LENGTH);
  }
  return {Status::kOk, memory, freed};
}

// Asks only once whether the buffer is immutable: the next time there may be no answer.
Resized Resize(Heap& heap, Block& block, napi_value buffer, size_t size) {
  if (heap.environment.IsImmutable(buffer)) return {Status::kNotDetachable};
  block.memory.Unshare();
  auto resize = block.memory.size < kWorthMoving ? Copy : Grow;
  if (block.memory.shared != nullptr) {
    resize = Copy; // the other owners keep what they see
  } else if (size <= mi_usable_size(block.memory.start)) {
    resize = Refit;
  }
  return resize(heap, block, buffer, size);
}

napi_value Reallocate(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const napi_value old_buffer = arguments.values[1];
  const size_t size = arguments.SizeAt(2);
  const auto [block, status] = Block::Find(heap, old_buffer);
  if (block == nullptr) return Answer(env, status);
  const size_t old_size = block->memory.size;
  if (!heap.Allows(size, old_size)) return Answer(env, Status::kLimit);
  if (block->memory.of_runtime) return Answer(env, block->ReplaceInternal(old_buffer, size));

  Environment& environment = heap.environment;
  const Resized resized = Resize(heap, *block, old_buffer, size);
  if (resized.status != Status::kOk) return Answer(env, resized.status);
  if (size > old_size) {
    std::memset(static_cast<char*>(resized.memory.start) + old_size, 0, size - old_size);
  }
  const napi_value buffer = HandOutOrFree(env, heap, resized.memory);
  environment.NoteFreed(resized.freed);
  return buffer;
}

napi_value Move(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const napi_value old_buffer = arguments.values[0];
  const auto [block, status] = Block::Find(Environment::Of(env), old_buffer);
  if (block == nullptr) return Answer(env, status);
  if (block->memory.of_runtime) {
    return Answer(env, block->ReplaceInternal(old_buffer, block->memory.size));
  }
  Heap& heap = *block->heap;
  const std::optional<Memory> memory = block->Detach(old_buffer);
  if (!memory.has_value()) return Answer(env, Status::kNotDetachable);
  return HandOutOrFree(env, heap, *memory);
}

napi_value Free(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const napi_value buffer = arguments.values[1];
  const auto [block, status] = Block::Find(arguments.HeapAt(0), buffer);
  if (block == nullptr) return Answer(env, status);
  Environment& environment = block->environment;
  const std::optional<Memory> memory = block->Detach(buffer);
  if (!memory.has_value()) return Answer(env, Status::kNotDetachable);
  environment.NoteFreed(memory->Free());
  return Answer(env, Status::kOk);
}

napi_value Find(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return Answer(env, Block::Find(arguments.HeapAt(0), arguments.values[1]).status);
}

napi_value UsableSize(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto [block, status] = Block::Find(arguments.HeapAt(0), arguments.values[1]);
  if (block == nullptr) return Answer(env, status);
  const Memory& memory = block->memory;
  const size_t size = memory.of_runtime ? memory.size : mi_usable_size(memory.start);
  return Number(env, static_cast<double>(size));
}

} // namespace

void ExportBlockCalls(napi_env env, napi_value exports) {
  Export(env, exports, "allocate", Allocate);
  Export(env, exports, "reallocate", Reallocate);
  Export(env, exports, "move", Move);
  Export(env, exports, "free", Free);
  Export(env, exports, "find", Find);
  Export(env, exports, "usableSize", UsableSize);
}

} // namespace miheap
