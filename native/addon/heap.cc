#include "heap.h"

#include <cstring>

#include "block.h"

namespace miheap {

namespace {

void Detach(napi_env env, napi_value buffer) { napi_detach_arraybuffer(env, buffer); }

} // namespace

Heap::Heap(Environment& owner, mi_heap_t* mi_heap, double most_bytes)
    : heap(mi_heap), environment(owner), next(owner.heaps), previous(nullptr), limit(most_bytes) {
  environment.Retain();
  if (next != nullptr) next->previous = this;
  environment.heaps = this;
}

Heap* Heap::Create(Environment& environment, double limit) {
  mi_heap_t* mi_heap = mi_heap_new();
  return mi_heap == nullptr ? nullptr : new Heap(environment, mi_heap, limit);
}

void Heap::Unlink() {
  if (next != nullptr) next->previous = previous;
  (previous != nullptr ? previous->next : environment.heaps) = next;
  heap = nullptr;
}

void Heap::DeleteIfUnused() {
  if (has_facade || blocks != nullptr) return;
  environment.Release();
  delete this;
}

void Heap::Destroy() {
  if (heap == nullptr) return;
  size_t freed = 0;
  for (Block* block = blocks; block != nullptr;) {
    Block* following = block->next;
    Napi::HandleScope scope(environment.env);
    napi_value buffer = block->Buffer();
    if (buffer != nullptr) {
      Detach(environment.env, buffer);
      freed += block->size;
      mi_free(block->Spend());
    }
    block = following;
  }
  mi_heap_t* mi_heap = heap;
  Unlink();
  mi_heap_delete(mi_heap);
  environment.NoteFreed(freed);
}

void Heap::Abandon() {
  if (heap != nullptr) {
    mi_heap_t* mi_heap = heap;
    Unlink();
    mi_heap_delete(mi_heap);
  }
  has_facade = false;
  DeleteIfUnused();
}

bool Heap::Allows(size_t size, size_t released) const {
  return static_cast<double>(bytes - released) + static_cast<double>(size) <= limit;
}

void Heap::Add(Block& block) {
  block.next = blocks;
  block.previous = nullptr;
  if (blocks != nullptr) blocks->previous = &block;
  blocks = &block;
  block_count++;
  allocated++;
  bytes += block.size;
  if (bytes > peak_bytes) peak_bytes = bytes;
}

void Heap::Remove(Block& block) {
  if (block.next != nullptr) block.next->previous = block.previous;
  (block.previous != nullptr ? block.previous->next : blocks) = block.next;
  block_count--;
  bytes -= block.size;
}

// ---- What JavaScript calls. lib/native.ts documents the arguments; lib/heap.ts has checked them.

namespace {

struct Arguments {
  explicit Arguments(napi_env environment, napi_callback_info info) : env(environment) {
    size_t count = 5;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  Heap& HeapAt(size_t index) const {
    void* data = nullptr;
    napi_get_value_external(env, values[index], &data);
    return *static_cast<Heap*>(data);
  }
  size_t SizeAt(size_t index) const {
    int64_t value = 0;
    napi_get_value_int64(env, values[index], &value);
    return static_cast<size_t>(value);
  }
  bool BoolAt(size_t index) const {
    bool value = false;
    napi_get_value_bool(env, values[index], &value);
    return value;
  }

  napi_env env;
  napi_value values[5];
};

napi_value Number(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value Answer(napi_env env, Status status) {
  return Number(env, static_cast<double>(static_cast<int>(status)));
}

// A failed call of the runtime may have left an exception; the status says what happened instead.
napi_value AnswerNoMemory(napi_env env) {
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  return Answer(env, Status::kNoMemory);
}

void* Take(mi_heap_t* heap, size_t size, size_t alignment, bool zero) {
  if (alignment == 0) return zero ? mi_heap_zalloc(heap, size) : mi_heap_malloc(heap, size);
  return zero ? mi_heap_zalloc_aligned(heap, size, alignment)
              : mi_heap_malloc_aligned(heap, size, alignment);
}

napi_value NewHeap(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  double limit = 0;
  napi_get_value_double(env, arguments.values[0], &limit);
  Heap* heap = Heap::Create(Environment::Of(env), limit);
  if (heap == nullptr) return Answer(env, Status::kNoMemory);
  napi_value handle = nullptr;
  const auto finalize = [](napi_env, void* data, void*) { static_cast<Heap*>(data)->Abandon(); };
  napi_create_external(env, heap, finalize, nullptr, &handle);
  return handle;
}

napi_value DestroyHeap(napi_env env, napi_callback_info info) {
  Arguments(env, info).HeapAt(0).Destroy();
  return nullptr;
}

napi_value CollectHeap(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const bool force = arguments.BoolAt(1);
  mi_heap_collect(arguments.HeapAt(0).heap, force);
  return nullptr;
}

napi_value HeapStats(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Heap& heap = arguments.HeapAt(0);
  const size_t rows[] = {heap.bytes, heap.block_count, heap.peak_bytes, heap.allocated,
                         heap.collected};
  napi_value result = nullptr;
  napi_create_array_with_length(env, std::size(rows), &result);
  for (uint32_t i = 0; i < std::size(rows); i++) {
    napi_set_element(env, result, i, Number(env, static_cast<double>(rows[i])));
  }
  return result;
}

napi_value Allocate(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  const size_t size = arguments.SizeAt(1);
  const size_t alignment = arguments.SizeAt(2);
  if (!heap.Allows(size, 0)) return Answer(env, Status::kLimit);
  if (!heap.environment.external) {
    Status status;
    napi_value buffer = Block::HandOutInternal(heap, size, alignment, status);
    if (buffer != nullptr) return buffer;
    return status == Status::kNoMemory ? AnswerNoMemory(env) : Answer(env, status);
  }
  void* memory = Take(heap.heap, size, alignment, arguments.BoolAt(3));
  if (memory == nullptr) return Answer(env, Status::kNoMemory);
  napi_value buffer = Block::HandOut(heap, memory, size, alignment);
  if (buffer != nullptr) return buffer;
  mi_free(memory);
  return AnswerNoMemory(env);
}

// The bytes both blocks have are copied.
napi_value MoveInternal(napi_env env, Block& block, napi_value old_buffer, size_t size) {
  Status status;
  napi_value buffer = Block::HandOutInternal(*block.heap, size, block.alignment, status);
  if (buffer == nullptr) {
    return status == Status::kNoMemory ? AnswerNoMemory(env) : Answer(env, status);
  }
  void* memory = nullptr;
  size_t length = 0;
  napi_get_arraybuffer_info(env, buffer, &memory, &length);
  std::memcpy(memory, block.memory, size < block.size ? size : block.size);
  Detach(env, old_buffer);
  block.Spend();
  return buffer;
}

// `memory` is where the block is now; no JavaScript has run since it went there.
napi_value
MoveExternal(napi_env env, Block& block, napi_value old_buffer, void* memory, size_t size) {
  Heap& heap = *block.heap;
  block.Spend();
  Detach(env, old_buffer);
  napi_value buffer = Block::HandOut(heap, memory, size, block.alignment);
  if (buffer != nullptr) return buffer;
  mi_free(memory);
  return AnswerNoMemory(env);
}

napi_value Reallocate(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Heap& heap = arguments.HeapAt(0);
  napi_value old_buffer = arguments.values[1];
  const size_t size = arguments.SizeAt(2);
  Status status;
  Block* block = Block::Find(heap, old_buffer, status);
  if (block == nullptr) return Answer(env, status);
  const size_t old_size = block->size;
  const size_t alignment = block->alignment;
  if (!heap.Allows(size, old_size)) return Answer(env, Status::kLimit);
  if (!block->external) return MoveInternal(env, *block, old_buffer, size);

  void* memory = alignment == 0
                     ? mi_heap_realloc(heap.heap, block->memory, size)
                     : mi_heap_realloc_aligned(heap.heap, block->memory, size, alignment);
  if (memory == nullptr) return Answer(env, Status::kNoMemory);
  if (arguments.BoolAt(3) && size > old_size) {
    std::memset(static_cast<char*>(memory) + old_size, 0, size - old_size);
  }
  return MoveExternal(env, *block, old_buffer, memory, size);
}

napi_value Transfer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  napi_value old_buffer = arguments.values[0];
  Status status;
  Block* block = Block::Find(Environment::Of(env), old_buffer, status);
  if (block == nullptr) return Answer(env, status);
  if (!block->external) return MoveInternal(env, *block, old_buffer, block->size);
  return MoveExternal(env, *block, old_buffer, block->memory, block->size);
}

napi_value Free(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Status status;
  Block* block = Block::Find(arguments.HeapAt(0), arguments.values[1], status);
  if (block != nullptr) {
    Environment& environment = block->environment;
    const size_t size = block->size;
    Detach(env, arguments.values[1]);
    mi_free(block->Spend());
    environment.NoteFreed(size);
  }
  return Answer(env, status);
}

napi_value UsableSize(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Status status;
  const Block* block = Block::Find(arguments.HeapAt(0), arguments.values[1], status);
  if (block == nullptr) return Answer(env, status);
  const size_t size = block->external ? mi_usable_size(block->memory) : block->size;
  return Number(env, static_cast<double>(size));
}

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

} // namespace

void ExportHeap(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "newHeap", NewHeap);
  Export(env, exports, "destroyHeap", DestroyHeap);
  Export(env, exports, "collectHeap", CollectHeap);
  Export(env, exports, "heapStats", HeapStats);
  Export(env, exports, "allocate", Allocate);
  Export(env, exports, "reallocate", Reallocate);
  Export(env, exports, "free", Free);
  Export(env, exports, "transfer", Transfer);
  Export(env, exports, "usableSize", UsableSize);
}

} // namespace miheap
