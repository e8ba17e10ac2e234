#include "twins.h"

#include <cstdint>

namespace miheap {

Twins::Twins(napi_env env) : env_(env) {
  const auto weak_map = Napi::Env(env).Global().Get("WeakMap").As<Napi::Function>();
  const auto prototype = weak_map.Get("prototype").As<Napi::Object>();
  weak_map_ = Napi::Persistent(weak_map);
  get_ = Napi::Persistent(prototype.Get("get").As<Napi::Function>());
  set_ = Napi::Persistent(prototype.Get("set").As<Napi::Function>());
}

// The calls below fail only while a worker is being terminated.

void Twins::Add(napi_value buffer, Block& block) {
  napi_value blocks;
  if (blocks_.IsEmpty()) {
    if (napi_new_instance(env_, weak_map_.Value(), 0, nullptr, &blocks) != napi_ok) return;
    blocks_ = Napi::Persistent(Napi::Object(env_, blocks));
  }
  // Every address is a whole number that a double holds.
  napi_value address;
  napi_create_double(env_, static_cast<double>(reinterpret_cast<uintptr_t>(&block)), &address);
  const napi_value arguments[] = {buffer, address};
  napi_value ignored;
  napi_call_function(env_, blocks_.Value(), set_.Value(), 2, arguments, &ignored);
}

Block* Twins::Find(napi_value buffer) const {
  napi_value address;
  double number = 0;
  if (blocks_.IsEmpty() ||
      napi_call_function(env_, blocks_.Value(), get_.Value(), 1, &buffer, &address) != napi_ok ||
      napi_get_value_double(env_, address, &number) != napi_ok) {
    return nullptr;
  }
  return reinterpret_cast<Block*>(static_cast<uintptr_t>(number));
}

void Twins::Close() {
  weak_map_.Reset();
  get_.Reset();
  set_.Reset();
  blocks_.Reset();
}

} // namespace miheap
