#include "environment.h"

#include <cstdlib>
#include <utility>

#include <miheap.h>

#include "heap.h"

namespace miheap {

namespace {

constexpr size_t kWorthCollecting = size_t{1} << 20;

bool AllowsExternalBuffers(napi_env env) {
  if (std::getenv("MIHEAP_NO_EXTERNAL_BUFFERS") != nullptr) return false;
  static char probe[16];
  napi_value buffer;
  return napi_create_external_arraybuffer(
             env, probe, sizeof probe, [](napi_env, void*, void*) {}, nullptr, &buffer) == napi_ok;
}

} // namespace

Environment::Environment(napi_env owner) : env(owner), external(AllowsExternalBuffers(owner)) {}

Environment& Environment::Of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::Release() {
  if (--references == 0) delete this;
}

void Environment::Close() {
  request_collect.Reset();
  Release();
}

void Environment::OnCollectWanted(Napi::FunctionReference callback) {
  request_collect = std::move(callback);
  collect_requested = false;
}

void Environment::NoteFreed(size_t bytes) {
  operations++;
  freed += bytes;
  if (freed < kWorthCollecting || collect_requested || request_collect.IsEmpty()) return;
  collect_requested = true;
  Napi::HandleScope scope(env);
  napi_value global;
  napi_value result;
  if (napi_get_global(env, &global) == napi_ok &&
      napi_call_function(env, global, request_collect.Value(), 0, nullptr, &result) == napi_ok) {
    return;
  }
  // An environment that is being torn down. What was freed stays freed: nothing is thrown.
  napi_get_and_clear_last_exception(env, &result);
  collect_requested = false;
}

bool Environment::CollectIfIdle() {
  if (operations != operations_seen) {
    operations_seen = operations;
    return false;
  }
  freed = 0;
  collect_requested = false;
  for (Heap* heap = heaps; heap != nullptr; heap = heap->next) mi_heap_collect(heap->heap, true);
  mi_collect(true);
  return true;
}

} // namespace miheap
