#include <algorithm>
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

// From here on it is worth more that a block can move without a copy than to ask first.
constexpr size_t kWorthMoving = size_t{1} << 20;

// The ways in which a block gets another size. Each detaches `buffer` and takes the block's memory, as
// it is then; or says why it could not, and has changed nothing. `freed`: bytes that came back.

// There is room for `size` bytes where the block is.
Status
Refit(Heap& heap, Block& block, napi_value buffer, size_t size, Memory& memory, size_t& freed) {
  if (!block.Detach(buffer, memory)) return Status::kNotDetachable;
  freed = memory.size - std::min(size, memory.size);
  memory.Refit(heap.heap, size);
  return Status::kOk;
}

Status
Copy(Heap& heap, Block& block, napi_value buffer, size_t size, Memory& memory, size_t& freed) {
  memory = Memory::Take(heap.heap, size, block.memory.alignment, false);
  if (memory.start == nullptr) return Status::kNoMemory;
  std::memcpy(memory.start, block.memory.start, std::min(size, block.memory.size));
  Memory old;
  if (!block.Detach(buffer, old)) {
    memory.Free();
    return Status::kNotDetachable;
  }
  freed = old.Free();
  return Status::kOk;
}

// The core moves the memory before anybody can know whether the views let go of it: the other way round,
// the contents would be lost where there is no memory. Views that do not let go show memory that is gone,
// and a process must not go on with these.
Status
Grow(Heap& heap, Block& block, napi_value buffer, size_t size, Memory& memory, size_t& freed) {
  memory = block.memory;
  if (!memory.Resize(heap.heap, size)) return Status::kNoMemory;
  freed = memory.start == block.memory.start ? 0 : block.memory.size;
  // No JavaScript runs between here and Detach, so nobody sees that the record is wrong.
  Memory old;
  if (!block.Detach(buffer, old)) {
    napi_fatal_error(
        "miheap", NAPI_AUTO_LENGTH,
        "realloc of a buffer that cannot be detached: it is the heap of an asm.js module",
        NAPI_AUTO_LENGTH);
  }
  return Status::kOk;
}

Status
Resize(Heap& heap, Block& block, napi_value buffer, size_t size, Memory& memory, size_t& freed) {
  block.memory.Unshare();
  auto resize = block.memory.size < kWorthMoving ? Copy : Grow;
  if (block.memory.shared != nullptr) {
    resize = Copy; // its others keep what they see
  } else if (size <= mi_usable_size(block.memory.start)) {
    resize = Refit;
  }
  return resize(heap, block, buffer, size, memory, freed);
}

// A new block of the runtime's memory, in place of `block`.
napi_value Replace(napi_env env, Block& block, napi_value old_buffer, size_t size) {
  Status status;
  const napi_value buffer = block.ReplaceInternal(old_buffer, size, status);
  return AnswerBuffer(env, buffer, status);
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
  if (block->memory.of_runtime) return Replace(env, *block, old_buffer, size);

  Environment& environment = heap.environment;
  Memory memory;
  size_t freed = 0;
  status = Resize(heap, *block, old_buffer, size, memory, freed);
  if (status != Status::kOk) return Answer(env, status);
  if (size > old_size) {
    std::memset(static_cast<char*>(memory.start) + old_size, 0, size - old_size);
  }
  const napi_value buffer = HandOutOrFree(env, heap, memory);
  environment.NoteFreed(freed);
  return buffer;
}

napi_value Move(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const napi_value old_buffer = arguments.values[0];
  Status status;
  Block* const block = Block::Find(Environment::Of(env), old_buffer, status);
  if (block == nullptr) return Answer(env, status);
  if (block->memory.of_runtime) return Replace(env, *block, old_buffer, block->memory.size);
  Heap& heap = *block->heap;
  Memory memory;
  if (!block->Detach(old_buffer, memory)) return Answer(env, Status::kNotDetachable);
  return HandOutOrFree(env, heap, memory);
}

napi_value Free(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Status status;
  Block* const block = Block::Find(arguments.HeapAt(0), arguments.values[1], status);
  if (block == nullptr) return Answer(env, status);
  Environment& environment = block->environment;
  Memory memory;
  if (!block->Detach(arguments.values[1], memory)) return Answer(env, Status::kNotDetachable);
  environment.NoteFreed(memory.Free());
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
