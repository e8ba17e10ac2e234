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

// Hands out a block of the runtime's memory that holds a copy of `memory`.
HandedOut CopyIn(Heap& heap, const Shared& memory, const LastStep& last) {
  return Block::HandOutInternal(heap, memory.size, memory.alignment, [&](void* start) {
    std::memcpy(start, memory.start, memory.size);
    return last(start);
  });
}

// The token ends in the last step, so an attempt that fails is not noticed by other threads.
HandedOut HandOut(Heap& heap, const std::string& token, Shared* memory) {
  if (!heap.Allows(memory->size, 0)) return {nullptr, Status::kLimit};
  const auto take = [&](void*) { return tokens::Take(token) ? Status::kOk : Status::kNoToken; };
  if (!heap.environment.external) return CopyIn(heap, *memory, take);
  return Block::HandOut(heap, Memory::Of(memory), take);
}

napi_value Adopt(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const std::string token = arguments.TokenAt(1);
  Shared* const memory = tokens::Open(token);
  if (memory == nullptr) return Answer(env, Status::kNoToken);
  if (memory->size == 0) {
    const bool taken = tokens::Take(token);
    memory->Release();
    return taken ? Null(env) : Answer(env, Status::kNoToken);
  }
  Environment& environment = heap.environment;
  const HandedOut adopted = HandOut(heap, token, memory);
  const bool block_owns = adopted.buffer != nullptr && environment.external;
  if (!block_owns) environment.NoteFreed(memory->Release());
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
