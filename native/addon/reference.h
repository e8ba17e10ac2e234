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

// The getter of a property that the object itself has. Null if there is none.
inline napi_value GetterOf(napi_env env, napi_value object, const char* name) {
  const napi_value describe =
      PropertyOf(env, PropertyOf(env, GlobalOf(env), "Object"), "getOwnPropertyDescriptor");
  napi_value arguments[] = {object, nullptr};
  napi_value descriptor;
  napi_valuetype type;
  if (object == nullptr || describe == nullptr ||
      napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &arguments[1]) != napi_ok ||
      napi_call_function(env, GlobalOf(env), describe, 2, arguments, &descriptor) != napi_ok ||
      napi_typeof(env, descriptor, &type) != napi_ok || type != napi_object) {
    return nullptr;
  }
  return PropertyOf(env, descriptor, "get");
}

} // namespace miheap
