#include "environment.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <miheap.h>

#include "reference.h"
#include "tokens.h"

extern "C" {
#include "heap/purge.h"
}

namespace miheap {

namespace {

constexpr size_t kWorthCollecting = size_t{1} << 20;

// A program that is never idle offers what is free between its blocks each two seconds.
constexpr uint32_t kLooksUntilOffer = 20;

bool Refuses() {
  const char* const wanted = std::getenv("MIHEAP_EXTERNAL_BUFFERS");
  return wanted != nullptr && std::strcmp(wanted, "0") == 0;
}

bool AllowsExternalBuffers(napi_env env) {
  // Asked once: in a worker, getenv would race with a thread that sets variables.
  static const bool refused = Refuses();
  if (refused) return false;
  static char probe[16];
  napi_value buffer;
  return napi_create_external_arraybuffer(
             env, probe, sizeof probe, [](napi_env, void*, void*) {}, nullptr, &buffer) == napi_ok;
}

} // namespace

Environment::Environment(napi_env owner)
    : env(owner), external(AllowsExternalBuffers(owner)), twins(owner), sentinel(*this) {
  mi_process_purge_has_timer();
  const napi_value array_buffer = PropertyOf(env, GlobalOf(env), "ArrayBuffer");
  array_buffer_ = ReferTo(env, array_buffer);
  is_immutable_ =
      ReferTo(env, GetterOf(env, PropertyOf(env, array_buffer, "prototype"), "immutable"));
}

bool Environment::IsImmutable(napi_value buffer) const {
  if (is_immutable_.IsEmpty()) return false;
  napi_value answer;
  bool is = true; // if it does not answer: near the end of the stack, or of its worker
  if (napi_call_function(env, buffer, is_immutable_.Value(), 0, nullptr, &answer) != napi_ok) {
    napi_get_and_clear_last_exception(env, &answer);
  } else {
    napi_get_value_bool(env, answer, &is);
  }
  return is;
}

napi_value Environment::NewArrayBuffer(size_t size, void** start) const {
  napi_value length;
  napi_value buffer;
  napi_value ignored;
  if (napi_create_double(env, static_cast<double>(size), &length) != napi_ok ||
      napi_new_instance(env, array_buffer_.Value(), 1, &length, &buffer) != napi_ok) {
    napi_get_and_clear_last_exception(env, &ignored);
    return nullptr;
  }
  if (napi_get_arraybuffer_info(env, buffer, start, nullptr) != napi_ok) return nullptr;
  return buffer;
}

Environment& Environment::Of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::Release() {
  if (--references_ == 0) delete this;
}

void Environment::Close() {
  collect_callbacks_.clear();
  array_buffer_.Reset();
  is_immutable_.Reset();
  twins.Close();
  sentinel.Close();
  tokens::ReleaseAllOf(this);
  // Returns what the thread freed as it ended. No other thread may ever have a reason to do so.
  mi_collect(true);
  Release();
}

void Environment::OnCollectWanted(napi_value callback) {
  auto is_gone = [](const Napi::FunctionReference& each) { return each.Value().IsEmpty(); };
  collect_callbacks_.erase(
      std::remove_if(collect_callbacks_.begin(), collect_callbacks_.end(), is_gone),
      collect_callbacks_.end());
  collect_callbacks_.push_back(ReferTo(env, callback, 0));
  // Who was asked before may be gone, or there was nobody to ask.
  if (freed_ >= kWorthCollecting) RequestCollect(When::kInAWhile);
}

napi_value Environment::CollectCallback() const {
  for (auto each = collect_callbacks_.rbegin(); each != collect_callbacks_.rend(); ++each) {
    const napi_value callback = each->Value();
    if (callback != nullptr) return callback;
  }
  return nullptr;
}

void Environment::RequestCollect(When when) {
  Napi::HandleScope scope(env);
  const napi_value callback = CollectCallback();
  // Before the call: a hook of the program that frees meanwhile must not ask again.
  collect_requested_ = callback != nullptr;
  if (callback == nullptr) return;
  napi_value global;
  napi_value soon;
  napi_value result;
  if (napi_get_global(env, &global) == napi_ok &&
      napi_get_boolean(env, when == When::kSoon, &soon) == napi_ok &&
      napi_call_function(env, global, callback, 1, &soon, &result) == napi_ok) {
    return;
  }
  // The environment is being torn down. The free itself succeeded, so nothing is thrown.
  napi_get_and_clear_last_exception(env, &result);
  collect_requested_ = false;
}

void Environment::NoteFreed(size_t bytes) {
  operations++;
  freed_ += bytes;
  if (freed_ >= kWorthCollecting && !collect_requested_) RequestCollect(When::kInAWhile);
}

void Environment::CollectIfIdle() {
  if (!collect_requested_) return;
  if (operations != operations_seen_ || more_is_due_) {
    operations_seen_ = operations;
    purge_place_ = 0;
    if (!more_is_due_ && ++busy_looks_ % kLooksUntilOffer == 0) mi_process_purge_offer();
    // The core purges little in each slow path, and a program that is never idle may make few.
    more_is_due_ = mi_process_purge_some();
    RequestCollect(more_is_due_ ? When::kSoon : When::kInAWhile);
    if (collect_requested_) return; // else there is nobody left to ask: now
  }
  if (!mi_process_purge_part(&purge_place_)) {
    RequestCollect(When::kSoon);
    if (collect_requested_) return;
  }
  freed_ = 0;
  collect_requested_ = false;
  more_is_due_ = false;
  purge_place_ = 0;
  mi_collect(true); // little is left
}

bool Environment::CollectGarbage() {
  if (!garbage_collection_.IsDue()) return false;
  const Pace::Run run(garbage_collection_);
  CollectGarbageNow();
  return true;
}

void Environment::CollectGarbageNow() {
  // So much external memory that the runtime collects before the first call returns.
  constexpr int64_t kPressure = int64_t{1} << 40;
  int64_t adjusted;
  napi_adjust_external_memory(env, kPressure, &adjusted);
  napi_adjust_external_memory(env, -kPressure, &adjusted);
}

} // namespace miheap
