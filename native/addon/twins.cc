#include "twins.h"

#include <cstdint>

#include "reference.h"

namespace miheap {

Twins::Twins(napi_env env) : env_(env) {
  const napi_value weak_map = PropertyOf(env, GlobalOf(env), "WeakMap");
  const napi_value prototype = PropertyOf(env, weak_map, "prototype");
  weak_map_ = ReferTo(env, weak_map);
  get_ = ReferTo(env, PropertyOf(env, prototype, "get"));
  set_ = ReferTo(env, PropertyOf(env, prototype, "set"));
}

bool Twins::Make() {
  napi_value blocks;
  if (napi_new_instance(env_, weak_map_.Value(), 0, nullptr, &blocks) != napi_ok) return false;
  blocks_ = Napi::Persistent(Napi::Object(env_, blocks));
  return true;
}

bool Twins::Add(napi_value buffer, Block& block) {
  // Every address is a whole number that a double holds.
  napi_value address;
  napi_create_double(env_, static_cast<double>(reinterpret_cast<uintptr_t>(&block)), &address);
  const napi_value arguments[] = {buffer, address};
  napi_value ignored;
  if ((!blocks_.IsEmpty() || Make()) &&
      napi_call_function(env_, blocks_.Value(), set_.Value(), 2, arguments, &ignored) == napi_ok) {
    return true;
  }
  napi_get_and_clear_last_exception(env_, &ignored);
  return false;
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
