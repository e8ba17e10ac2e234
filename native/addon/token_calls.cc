#include <cstring>

#include "block.h"
#include "call.h"
#include "calls.h"
#include "environment.h"
#include "heap.h"
#include "tokens.h"

namespace miheap {

namespace {

// Copies a block of the runtime's memory into memory of the core. Null if there is no memory.
Shared* CopyOut(Heap& heap, const Memory& block) {
  Memory copy = Memory::Take(heap.heap, block.size, block.alignment, false);
  if (copy.start == nullptr) return nullptr;
  if (block.size != 0) std::memcpy(copy.start, block.start, block.size);
  Shared* const shared = copy.Share();
  if (shared == nullptr) copy.Free();
  return shared;
}

// A block that is to be offered to other threads. `memory` is the block's own, or a copy if the
// block's memory is the runtime's. If it is null, `status` says why.
struct Offer {
  Status status;
  Block* block = nullptr;
  bool copied = false;
  Shared* memory = nullptr;
};

Offer OfferOf(Heap& heap, napi_value buffer) {
  const auto [block, status] = Block::Find(heap, buffer);
  if (block == nullptr) return {status};
  const bool copied = block->memory.of_runtime;
  Shared* const memory = copied ? CopyOut(heap, block->memory) : block->memory.Share();
  return {memory == nullptr ? Status::kNoMemory : Status::kOk, block, copied, memory};
}

napi_value Transfer(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const napi_value buffer = arguments.values[1];
  const Offer offer = OfferOf(heap, buffer);
  if (offer.memory == nullptr) return Answer(env, offer.status);
  const std::optional<Memory> given = offer.block->Detach(buffer);
  if (!given.has_value()) {
    if (offer.copied) offer.memory->Release();
    return Answer(env, Status::kNotDetachable);
  }
  if (offer.copied) given->Free();
  tokens::Put(arguments.TokenAt(2), offer.memory, true, &heap.environment);
  return Answer(env, offer.status);
}

napi_value Share(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const Offer offer = OfferOf(heap, arguments.values[1]);
  if (offer.memory == nullptr) return Answer(env, offer.status);
  if (!offer.copied) offer.memory->Retain();
  tokens::Put(arguments.TokenAt(2), offer.memory, false, &heap.environment);
  return Answer(env, offer.status);
}

// Makes a token for an empty buffer, which has no block. A Shared of no bytes stands in for it.
napi_value OfferNothing(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  Shared* const memory = CopyOut(heap, Memory());
  if (memory == nullptr) return Answer(env, Status::kNoMemory);
  tokens::Put(arguments.TokenAt(1), memory, arguments.BoolAt(2), &heap.environment);
  return Answer(env, Status::kOk);
}

// Copies `memory`, which the caller still owns, into a new buffer of the runtime's memory.
HandedOut CopyIn(napi_env env, Heap& heap, const Shared& memory) {
  const HandedOut copy = Block::HandOutInternal(heap, memory.size, memory.alignment);
  if (copy.buffer == nullptr) return copy;
  void* start = nullptr;
  size_t length = 0;
  napi_get_arraybuffer_info(env, copy.buffer, &start, &length);
  std::memcpy(start, memory.start, memory.size);
  return copy;
}

HandedOut HandOut(napi_env env, Heap& heap, Shared* memory) {
  if (!heap.Allows(memory->size, 0)) return {nullptr, Status::kLimit};
  if (!heap.environment.external) return CopyIn(env, heap, *memory);
  return {Block::HandOut(heap, Memory::Of(memory)), Status::kNoMemory};
}

napi_value Adopt(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const std::string name = arguments.TokenAt(1);
  Shared* const memory = tokens::Claim(name);
  if (memory == nullptr) return Answer(env, Status::kNoToken);
  if (memory->size == 0) {
    tokens::Settle(name, memory, true);
    memory->Release();
    return Null(env);
  }
  const HandedOut adopted = HandOut(env, heap, memory);
  tokens::Settle(name, memory, adopted.buffer != nullptr);
  if (adopted.buffer != nullptr && !heap.environment.external) {
    heap.environment.NoteFreed(memory->Release());
  }
  return Answer(env, adopted);
}

napi_value ReleaseToken(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t freed = 0;
  const bool found = tokens::Release(arguments.TokenAt(0), freed);
  Environment::Of(env).NoteFreed(freed);
  return Answer(env, found ? Status::kOk : Status::kNoToken);
}

} // namespace

void ExportTokenCalls(napi_env env, napi_value exports) {
  Export(env, exports, "transfer", Transfer);
  Export(env, exports, "share", Share);
  Export(env, exports, "offerNothing", OfferNothing);
  Export(env, exports, "adopt", Adopt);
  Export(env, exports, "releaseToken", ReleaseToken);
}

} // namespace miheap
