#include "block.h"

#include <atomic>
#include <cstdint>

#include <miheap.h>

#include "heap.h"

namespace miheap {

namespace {

// Relaxed: these are only ever read as statistics.
std::atomic<size_t> bytes_held{0};
std::atomic<size_t> blocks_held{0};

} // namespace

size_t BytesHeld() { return bytes_held.load(std::memory_order_relaxed); }
size_t BlocksHeld() { return blocks_held.load(std::memory_order_relaxed); }

Block::Block(Heap& owner, size_t bytes, size_t align, bool is_external)
    : size(bytes), alignment(align), heap(&owner), environment(owner.environment),
      external(is_external) {
  environment.Retain();
}

napi_value Block::HandOut(Heap& heap, void* memory, size_t size, size_t alignment) {
  Block* block = new Block(heap, size, alignment, true);
  napi_value value = nullptr;
  // A worker that is being terminated can fail here, before or after the runtime has taken the
  // record: the record is left to it, and has no memory to free.
  if (napi_create_external_arraybuffer(heap.environment.env, memory, size, Finalize, block,
                                       &value) != napi_ok) {
    return nullptr;
  }
  block->Publish(memory, value);
  return value;
}

napi_value Block::HandOutInternal(Heap& heap, size_t size, size_t alignment, Status& status) {
  napi_env env = heap.environment.env;
  napi_value value = nullptr;
  void* memory = nullptr;
  status = Status::kNoMemory;
  if (napi_create_arraybuffer(env, size, &memory, &value) != napi_ok) return nullptr;
  status = Status::kUnaligned;
  if (alignment != 0 && reinterpret_cast<uintptr_t>(memory) % alignment != 0) return nullptr;
  Block* block = new Block(heap, size, alignment, false);
  napi_add_finalizer(env, value, block, Finalize, nullptr, nullptr);
  block->Publish(memory, value);
  status = Status::kOk;
  return value;
}

void Block::Publish(void* start, napi_value value) {
  memory = start;
  napi_create_reference(environment.env, value, 0, &buffer);
  environment.blocks[start] = this;
  environment.operations++;
  heap->Add(*this);
  bytes_held.fetch_add(size, std::memory_order_relaxed);
  blocks_held.fetch_add(1, std::memory_order_relaxed);
}

Block* Block::Find(Heap& heap, napi_value buffer, Status& status) {
  Block* block = Find(heap.environment, buffer, status);
  if (block == nullptr || block->heap == &heap) return block;
  status = Status::kOtherHeap;
  return nullptr;
}

Block* Block::Find(Environment& environment, napi_value buffer, Status& status) {
  void* data = nullptr;
  size_t length = 0;
  bool detached = false;
  status = Status::kDetached;
  napi_is_detached_arraybuffer(environment.env, buffer, &detached);
  if (detached) return nullptr;
  napi_get_arraybuffer_info(environment.env, buffer, &data, &length);

  status = Status::kNotOwned;
  auto found = environment.blocks.find(data);
  if (found == environment.blocks.end()) return nullptr;
  Block* block = found->second;
  if (!block->external) {
    // Moved out of sight, the memory may have been freed and its address used again.
    napi_value own = block->Buffer();
    bool same = false;
    if (own != nullptr) napi_strict_equals(environment.env, own, buffer, &same);
    if (!same) return nullptr;
  }
  status = Status::kOk;
  return block;
}

napi_value Block::Buffer() const {
  napi_value value = nullptr;
  napi_get_reference_value(environment.env, buffer, &value);
  if (value == nullptr) return nullptr;
  void* data = nullptr;
  size_t length = 0;
  bool detached = false;
  napi_is_detached_arraybuffer(environment.env, value, &detached);
  if (detached) return nullptr;
  napi_get_arraybuffer_info(environment.env, value, &data, &length);
  return data == memory ? value : nullptr;
}

void* Block::Spend() {
  void* start = memory;
  auto found = environment.blocks.find(start);
  if (found != environment.blocks.end() && found->second == this) environment.blocks.erase(found);
  memory = nullptr;
  napi_delete_reference(environment.env, buffer);
  bytes_held.fetch_sub(size, std::memory_order_relaxed);
  blocks_held.fetch_sub(1, std::memory_order_relaxed);
  Heap* owner = heap;
  heap = nullptr;
  owner->Remove(*this);
  return external ? start : nullptr;
}

void Block::Finalize(napi_env, void* data, void* hint) {
  Block* block = static_cast<Block*>(hint != nullptr ? hint : data);
  Environment& environment = block->environment;
  if (block->memory != nullptr) {
    const size_t size = block->size;
    Heap* heap = block->heap;
    heap->collected++;
    mi_free(block->Spend());
    heap->DeleteIfUnused();
    environment.NoteFreed(size);
  }
  delete block;
  environment.Release();
}

} // namespace miheap
