#include <napi.h>

#include "calls.h"
#include "environment.h"
#include "show_stats.h"

namespace miheap {

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  NameStatsTable();
  // Finalisers of ArrayBuffers may run before or after this one. Each block holds a reference to
  // the environment.
  const auto finalize = [](napi_env, void* data, void*) {
    static_cast<Environment*>(data)->Close();
  };
  napi_set_instance_data(env, new Environment(env), finalize, nullptr);
  ExportHeapCalls(env, exports);
  ExportBlockCalls(env, exports);
  ExportTokenCalls(env, exports);
  ExportProcessCalls(env, exports);
#if defined(MI_ADDON_MISUSE)
  ExportMisuse(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)

} // namespace

} // namespace miheap
