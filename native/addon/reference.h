#pragma once

#include <napi.h>

namespace miheap {

// References to functions. Where a call of the runtime fails, because a worker is being terminated
// while this module loads, they are empty: node-addon-api's own ways to make them would end the
// process. Calls with an empty one fail.

inline Napi::FunctionReference ReferTo(napi_env env, napi_value function, uint32_t count = 1) {
  napi_ref reference;
  if (function == nullptr || napi_create_reference(env, function, count, &reference) != napi_ok) {
    return {};
  }
  return {env, reference};
}

// Null if there is none.
inline napi_value PropertyOf(napi_env env, napi_value object, const char* name) {
  napi_value value;
  if (object == nullptr || napi_get_named_property(env, object, name, &value) != napi_ok) {
    return nullptr;
  }
  return value;
}

inline napi_value GlobalOf(napi_env env) {
  napi_value global;
  return napi_get_global(env, &global) == napi_ok ? global : nullptr;
}

} // namespace miheap
