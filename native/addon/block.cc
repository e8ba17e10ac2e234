#include "block.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "environment.h"
#include "heap.h"

namespace miheap {

namespace {

bool Shows(napi_env env, napi_value buffer, const void* memory) {
  void* data = nullptr;
  size_t length = 0;
  return napi_get_arraybuffer_info(env, buffer, &data, &length) == napi_ok && data == memory &&
         length != 0;
}

Status WhyNotFound(napi_env env, napi_value buffer) {
  bool is = false;
  napi_is_arraybuffer(env, buffer, &is);
  if (!is) return Status::kNoBuffer;
  napi_is_detached_arraybuffer(env, buffer, &is);
  return is ? Status::kDetached : Status::kNotOwned;
}

} // namespace

Block::Block(Heap& owner) : heap(&owner), environment(owner.environment) { environment.Retain(); }

HandedOut Block::HandOut(Heap& heap, const Memory& memory, const LastStep& last) {
  Block* block = new (std::nothrow) Block(heap);
  if (block == nullptr) return {nullptr, Status::kNoMemory};
  napi_env env = heap.environment.env;
  napi_value view = nullptr;
  napi_value buffer = nullptr;
  // While a worker is being terminated, these calls can fail before or after the runtime has taken
  // the record. So the record, which has no memory to free, is left to the runtime.
  if (napi_create_external_buffer(env, memory.size, memory.start, Finalize, block, &view) !=
          napi_ok ||
      napi_get_typedarray_info(env, view, nullptr, nullptr, nullptr, &buffer, nullptr) != napi_ok) {
    return {nullptr, Status::kNoMemory};
  }
  block->number = heap.environment.sentinel.NoteHandedOut(heap);
  const Status status = block->Publish(memory, buffer, last);
  return {status == Status::kOk ? view : nullptr, status};
}

Block::Internal Block::MakeInternal(Heap& heap, size_t size, size_t alignment) {
  napi_env env = heap.environment.env;
  void* start = nullptr;
  const napi_value buffer = heap.environment.NewArrayBuffer(size, &start);
  if (buffer == nullptr) return {nullptr, Status::kNoMemory};
  if (alignment != 0 && reinterpret_cast<uintptr_t>(start) % alignment != 0) {
    return {nullptr, Status::kUnaligned};
  }
  Block* block = new (std::nothrow) Block(heap);
  if (block == nullptr) return {nullptr, Status::kNoMemory};
  if (napi_add_finalizer(env, buffer, block, Finalize, nullptr, nullptr) != napi_ok) {
    heap.environment.Release();
    delete block;
    return {nullptr, Status::kNoMemory};
  }
  return {block, Status::kOk, buffer, start};
}

HandedOut Block::HandOutInternal(Heap& heap, size_t size, size_t alignment, const LastStep& last) {
  const Internal made = MakeInternal(heap, size, alignment);
  if (made.block == nullptr) return {nullptr, made.status};
  const Memory taken = Memory::OfRuntime(made.start, size, alignment);
  const Status status = made.block->Publish(taken, made.buffer, last);
  if (status == Status::kOk) return {made.buffer, status};
  taken.Free();
  return {nullptr, status};
}

HandedOut Block::ReplaceInternal(napi_value old_buffer, size_t size) {
  return HandOutInternal(*heap, size, memory.alignment, [&](void* start) {
    std::memcpy(start, memory.start, std::min(size, memory.size));
    const std::optional<Memory> old = Detach(old_buffer);
    if (!old.has_value()) return Status::kNotDetachable;
    old->Free();
    return Status::kOk;
  });
}

Status Block::Publish(const Memory& taken, napi_value buffer, const LastStep& last) {
  Show(*heap, taken, buffer);
  const Status status = NoteTwin(buffer) ? last(taken.start) : Status::kNoMemory;
  if (status != Status::kOk) {
    const napi_env env = environment.env;
    Spend();
    napi_detach_arraybuffer(env, buffer);
    return status;
  }
  environment.operations++;
  heap->NoteNew(taken.size);
  return status;
}

void Block::Show(Heap& owner, const Memory& taken, napi_value buffer) {
  heap = &owner;
  memory = taken;
  napi_create_reference(environment.env, buffer, 0, &buffer_);
  environment.blocks.Insert(*this);
  heap->Add(*this);
}

bool Block::NoteTwin(napi_value buffer) {
  if (memory.shared == nullptr && !memory.of_runtime) return true;
  Block* const other = BlockTable::FindNext(*this);
  if (other == nullptr) return true;
  if (!other->is_twin_) {
    Napi::HandleScope scope(environment.env);
    const napi_value others = other->Buffer();
    other->is_twin_ = others == nullptr || environment.twins.Add(others, *other);
    if (!other->is_twin_) return false;
  }
  is_twin_ = environment.twins.Add(buffer, *this);
  return is_twin_;
}

std::optional<Memory> Block::Detach(napi_value buffer) {
  if (environment.IsImmutable(buffer)) return std::nullopt;
  return DetachMutable(buffer);
}

std::optional<Memory> Block::DetachMutable(napi_value buffer) {
  Heap& owner = *heap;
  // Spent first: Bun and Deno finalise a buffer as it is detached, which deletes the record.
  const Memory taken = Spend();
  if (napi_detach_arraybuffer(owner.environment.env, buffer) == napi_ok) return taken;
  Show(owner, taken, buffer); // a twin is still noted as one
  return std::nullopt;
}

Found Block::Find(Heap& heap, napi_value buffer) {
  const Found found = Find(heap.environment, buffer);
  if (found.block == nullptr || found.block->heap == &heap) return found;
  return {nullptr, Status::kOtherHeap};
}

Found Block::Find(Environment& environment, napi_value buffer) {
  napi_env env = environment.env;
  void* data = nullptr;
  size_t length = 0;
  Block* block = nullptr;
  if (napi_get_arraybuffer_info(env, buffer, &data, &length) == napi_ok && length != 0) {
    block = environment.blocks.Find(data);
  }
  // Several blocks may have this address: shared memory may have been adopted here more than once,
  // and memory of the runtime that was moved away may have been allocated again.
  if (block != nullptr && BlockTable::FindNext(*block) != nullptr) {
    block = environment.twins.Find(buffer);
    if (block != nullptr && block->memory.start != data) block = nullptr;
  } else if (block != nullptr && block->memory.of_runtime) {
    const napi_value own = block->Buffer();
    bool same = false;
    if (own != nullptr) napi_strict_equals(env, own, buffer, &same);
    if (!same) block = nullptr;
  }
  return {block, block != nullptr ? Status::kOk : WhyNotFound(env, buffer)};
}

napi_value Block::Buffer() const {
  napi_value value = nullptr;
  napi_get_reference_value(environment.env, buffer_, &value);
  return value != nullptr && Shows(environment.env, value, memory.start) ? value : nullptr;
}

bool Block::IsCollected() const {
  napi_value value = nullptr;
  napi_get_reference_value(environment.env, buffer_, &value);
  return value == nullptr;
}

Memory Block::Spend() {
  environment.blocks.Erase(*this);
  napi_delete_reference(environment.env, buffer_);
  heap->Remove(*this);
  heap = nullptr;
  const Memory taken = memory;
  memory = Memory();
  return taken;
}

size_t Block::Free() {
  const bool stays = is_left;
  Memory taken = Spend();
  return stays ? 0 : taken.Free();
}

void Block::Keep() const { napi_reference_ref(environment.env, buffer_, nullptr); }

bool Block::IsMoved() const {
  if (memory.of_runtime) return false;
  Napi::HandleScope scope(environment.env);
  return Buffer() == nullptr && !IsCollected();
}

void Block::Finalize(napi_env, void* data, void* hint) {
  Block* block = static_cast<Block*>(hint != nullptr ? hint : data);
  Environment& environment = block->environment;
  if (block->memory.start != nullptr) {
    Heap* heap = block->heap;
    heap->collected++;
    const size_t freed = block->Free();
    heap->DeleteIfUnused();
    environment.NoteFreed(freed);
  }
  delete block;
  environment.Release();
}

} // namespace miheap
