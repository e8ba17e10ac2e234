#include "sentinel.h"

#include <miheap.h>

#include "block.h"
#include "environment.h"
#include "heap.h"

namespace miheap {

void Sentinel::Enable() {
  enabled_ = environment_.external;
  const napi_node_version* node = nullptr;
  finalises_late_ = napi_get_node_version(environment_.env, &node) == napi_ok &&
                    node->major == 18 && node->minor < 14;
}

size_t Sentinel::NoteHandedOut(const Heap& heap) {
  handed_out_++;
  if (!enabled_) return handed_out_;
  // Each heap has its own count: with a common one, heaps that take turns might never be looked at.
  if ((heap.allocated + 1) % kEvery == 0) LookForMoves(heap);
  if (handed_out_ % kEvery == 0 || ended_at_.has_value()) Place();
  return handed_out_;
}

void Sentinel::LookForMoves(const Heap& heap) {
  const Block* block = heap.blocks;
  for (size_t left = kEvery; block != nullptr && left > 0 && !moves_; left--) {
    moves_ = block->IsMoved();
    block = block->next;
  }
}

void Sentinel::Place() {
  const napi_env env = environment_.env;
  char* const data = static_cast<char*>(mi_malloc(1));
  if (data == nullptr) return;
  napi_value buffer;
  napi_ref reference;
  environment_.Retain();
  // As in Block::HandOut, a call that fails may have taken the data, so it is left to the runtime.
  if (napi_create_external_arraybuffer(env, data, 1, OnEnd, &environment_, &buffer) != napi_ok ||
      napi_create_reference(env, buffer, 1, &reference) != napi_ok) {
    return;
  }
  Close();
  buffer_ = reference;
  data_ = data;
  older_ = handed_out_;
  hooked_ = napi_add_env_cleanup_hook(env, OnHook, this) == napi_ok;
}

void Sentinel::Close() {
  if (buffer_ == nullptr) return;
  if (hooked_) napi_remove_env_cleanup_hook(environment_.env, OnHook, this);
  hooked_ = false;
  napi_delete_reference(environment_.env, buffer_);
  buffer_ = nullptr;
  data_ = nullptr;
}

void Sentinel::BeforeEnd() {
  if (!enabled_) return;
  const napi_env env = environment_.env;
  bool some = false;
  environment_.blocks.ForEach([&](const Block& block) {
    if (some) return;
    Napi::HandleScope scope(env);
    some = block.IsMoved() || block.IsCollected();
  });
  if (some) {
    // The second collection waits until the garbage that the first one found is swept. The
    // finalisers of that garbage run before the sentinel looks.
    environment_.CollectGarbageNow();
    environment_.CollectGarbageNow();
  }
  environment_.blocks.ForEach([](const Block& block) { block.Keep(); });
  ended_at_ = handed_out_;
  Place();
}

bool Sentinel::IsOlder(const Block& block) const {
  return block.number != 0 && block.number <= older_;
}

bool Sentinel::WasKept(const Block& block) const {
  return !finalises_late_ && ended_at_.has_value() && block.number <= *ended_at_;
}

void Sentinel::LeaveMoved() {
  if (has_looked_) return;
  has_looked_ = true;
  environment_.blocks.ForEach([this](const Block& block) {
    if (IsOlder(block) && block.IsMoved()) moves_ = true;
  });
  environment_.blocks.ForEach([this](Block& block) {
    if (!IsOlder(block)) return;
    Napi::HandleScope scope(environment_.env);
    block.is_left = block.IsMoved() || (block.IsCollected() && (WasKept(block) || moves_));
  });
}

void Sentinel::OnHook(void* data) {
  Sentinel* const sentinel = static_cast<Sentinel*>(data);
  sentinel->hooked_ = false;
  sentinel->LeaveMoved();
}

void Sentinel::OnEnd(napi_env, void* data, void* hint) {
  Environment* const environment = static_cast<Environment*>(hint);
  if (data == environment->sentinel.data_) environment->sentinel.LeaveMoved();
  mi_free(data);
  environment->Release();
}

} // namespace miheap
