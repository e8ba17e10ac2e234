#include "block.h"
#include "call.h"
#include "calls.h"
#include "environment.h"
#include "heap.h"

namespace miheap {

namespace {

napi_value NewHeap(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Heap* heap = Heap::Create(Environment::Of(env), arguments.DoubleAt(0));
  if (heap == nullptr) return Answer(env, Status::kNoMemory);
  napi_value handle = nullptr;
  const auto finalize = [](napi_env, void* data, void*) { static_cast<Heap*>(data)->Abandon(); };
  if (napi_create_external(env, heap, finalize, nullptr, &handle) == napi_ok) return handle;
  heap->Abandon();
  return AnswerNoMemory(env);
}

napi_value DestroyHeap(napi_env env, napi_callback_info info) {
  Arguments(env, info).HeapAt(0).Destroy();
  return nullptr;
}

napi_value CollectHeap(napi_env env, napi_callback_info info) {
  mi_heap_collect(Arguments(env, info).HeapAt(0).heap, true);
  return nullptr;
}

napi_value HeapStats(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Heap& heap = arguments.HeapAt(0);
  std::vector<size_t> figures = {heap.bytes, heap.peak_bytes, heap.block_count, heap.allocated,
                                 heap.collected};
  for (const SizeClasses::Row& row : heap.sizes.Rows()) {
    figures.insert(figures.end(), {row.up_to, row.blocks, row.bytes});
  }
  return Numbers(env, figures);
}

napi_value Recover(napi_env env, napi_callback_info info) {
  return Boolean(env, Arguments(env, info).HeapAt(0).Recover());
}

napi_value WaitingBytes(napi_env env, napi_callback_info info) {
  return Number(env, static_cast<double>(Arguments(env, info).HeapAt(0).WaitingBytes()));
}

} // namespace

void ExportHeapCalls(napi_env env, napi_value exports) {
  Export(env, exports, "newHeap", NewHeap);
  Export(env, exports, "destroyHeap", DestroyHeap);
  Export(env, exports, "collectHeap", CollectHeap);
  Export(env, exports, "heapStats", HeapStats);
  Export(env, exports, "recover", Recover);
  Export(env, exports, "waitingBytes", WaitingBytes);
}

} // namespace miheap
