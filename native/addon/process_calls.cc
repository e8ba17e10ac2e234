#include <miheap.h>

#include "call.h"
#include "calls.h"
#include "environment.h"
#include "memory.h"
#include "platform.h"

namespace miheap {

namespace {

napi_value ProcessStats(napi_env env, napi_callback_info) {
  size_t elapsed, user, system, rss, peak_rss, faults;
  mi_process_info(&elapsed, &user, &system, &rss, &peak_rss, nullptr, nullptr, &faults);
  return Numbers(env, {elapsed, user, system, rss, peak_rss, faults, BytesHeld(), BlocksHeld()});
}

// JSON, because one string is cheaper to pass than many objects.
napi_value AllocatorStats(napi_env env, napi_callback_info) {
  char* const json = mi_stats_get_json(0, nullptr);
  if (json == nullptr) return Null(env);
  const napi_value result = Text(env, json);
  mi_free(json);
  return result;
}

napi_value PreloadedAllocatorStats(napi_env env, napi_callback_info) {
  const std::string json = PreloadedStats();
  return json.empty() ? Null(env) : Text(env, json.c_str());
}

napi_value OnCollectWanted(napi_env env, napi_callback_info info) {
  Environment::Of(env).OnCollectWanted(Arguments(env, info).values[0]);
  return nullptr;
}

napi_value CollectIfIdle(napi_env env, napi_callback_info) {
  Environment::Of(env).CollectIfIdle();
  return nullptr;
}

napi_value CallOutside(napi_env env, napi_callback_info info) {
  napi_value context = nullptr;
  napi_create_object(env, &context);
  // No napi_async_context: `context`, which holds nothing, is the current resource meanwhile.
  napi_value result = nullptr;
  napi_make_callback(env, nullptr, context, Arguments(env, info).values[0], 0, nullptr, &result);
  return result;
}

napi_value EnableSentinel(napi_env env, napi_callback_info) {
  Environment::Of(env).sentinel.Enable();
  return nullptr;
}

napi_value BeforeEnd(napi_env env, napi_callback_info) {
  Environment::Of(env).sentinel.BeforeEnd();
  return nullptr;
}

napi_value Run(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return Number(env, Execute(arguments.TextAt(0), arguments.TextsAt(1), arguments.TextsAt(2)));
}

} // namespace

void ExportProcessCalls(napi_env env, napi_value exports) {
  napi_set_named_property(env, exports, "external", Boolean(env, Environment::Of(env).external));
  Export(env, exports, "processStats", ProcessStats);
  Export(env, exports, "allocatorStats", AllocatorStats);
  Export(env, exports, "preloadedStats", PreloadedAllocatorStats);
  Export(env, exports, "onCollectWanted", OnCollectWanted);
  Export(env, exports, "collectIfIdle", CollectIfIdle);
  Export(env, exports, "callOutside", CallOutside);
  Export(env, exports, "enableSentinel", EnableSentinel);
  Export(env, exports, "beforeEnd", BeforeEnd);
  Export(env, exports, "execute", Run);
}

} // namespace miheap
