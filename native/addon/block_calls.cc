#include <cstring>

#include "block.h"
#include "call.h"
#include "calls.h"
#include "environment.h"
#include "heap.h"

namespace miheap {

namespace {

// Hands `memory` out, or frees it.
napi_value HandOutOrFree(napi_env env, Heap& heap, const Memory& memory) {
  const napi_value buffer = Block::HandOut(heap, memory);
  if (buffer == nullptr) memory.Free();
  return AnswerBuffer(env, buffer, Status::kNoMemory);
}

napi_value Allocate(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const size_t size = arguments.SizeAt(1);
  const size_t alignment = arguments.SizeAt(2);
  if (!heap.Allows(size, 0)) return Answer(env, Status::kLimit);
  if (!heap.environment.external) {
    Status status;
    const napi_value buffer = Block::HandOutInternal(heap, size, alignment, status);
    return AnswerBuffer(env, buffer, status);
  }
  const Memory memory = Memory::Take(heap.heap, size, alignment, arguments.BoolAt(3));
  if (memory.start == nullptr) return Answer(env, Status::kNoMemory);
  return HandOutOrFree(env, heap, memory);
}

// A new block of the runtime's memory, with the bytes that both have.
napi_value Copy(napi_env env, Block& block, napi_value old_buffer, size_t size) {
  Status status;
  const napi_value buffer =
      Block::HandOutInternal(*block.heap, size, block.memory.alignment, status);
  if (buffer == nullptr) return AnswerBuffer(env, nullptr, status);
  void* start = nullptr;
  size_t length = 0;
  napi_get_arraybuffer_info(env, buffer, &start, &length);
  std::memcpy(start, block.memory.start, size < block.memory.size ? size : block.memory.size);
  block.Free();
  napi_detach_arraybuffer(env, old_buffer);
  return buffer;
}

napi_value Reallocate(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const napi_value old_buffer = arguments.values[1];
  const size_t size = arguments.SizeAt(2);
  Status status;
  Block* const block = Block::Find(heap, old_buffer, status);
  if (block == nullptr) return Answer(env, status);
  const size_t old_size = block->memory.size;
  if (!heap.Allows(size, old_size)) return Answer(env, Status::kLimit);
  if (block->memory.of_runtime) return Copy(env, *block, old_buffer, size);

  block->memory.Unshare();
  Memory memory;
  if (block->memory.shared != nullptr) {
    // The others keep what they see.
    memory = Memory::Take(heap.heap, size, block->memory.alignment, false);
    if (memory.start == nullptr) return Answer(env, Status::kNoMemory);
    std::memcpy(memory.start, block->memory.start, size < old_size ? size : old_size);
    block->Free();
  } else {
    // No JavaScript runs between here and Spend, so nobody sees that the record is wrong.
    memory = block->memory;
    if (!memory.Resize(heap.heap, size)) return Answer(env, Status::kNoMemory);
    block->Spend();
  }
  napi_detach_arraybuffer(env, old_buffer);
  if (size > old_size) {
    std::memset(static_cast<char*>(memory.start) + old_size, 0, size - old_size);
  }
  return HandOutOrFree(env, heap, memory);
}

napi_value Move(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const napi_value old_buffer = arguments.values[0];
  Status status;
  Block* const block = Block::Find(Environment::Of(env), old_buffer, status);
  if (block == nullptr) return Answer(env, status);
  if (block->memory.of_runtime) return Copy(env, *block, old_buffer, block->memory.size);
  Heap& heap = *block->heap;
  const Memory memory = block->Spend();
  napi_detach_arraybuffer(env, old_buffer);
  return HandOutOrFree(env, heap, memory);
}

napi_value Free(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Status status;
  Block* const block = Block::Find(arguments.HeapAt(0), arguments.values[1], status);
  if (block != nullptr) {
    Environment& environment = block->environment;
    const Memory memory = block->Spend();
    napi_detach_arraybuffer(env, arguments.values[1]);
    environment.NoteFreed(memory.Free());
  }
  return Answer(env, status);
}

napi_value Find(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Status status;
  Block::Find(arguments.HeapAt(0), arguments.values[1], status);
  return Answer(env, status);
}

napi_value UsableSize(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Status status;
  const Block* block = Block::Find(arguments.HeapAt(0), arguments.values[1], status);
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
