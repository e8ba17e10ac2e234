#pragma once

#include <napi.h>

namespace miheap {

// Each adds functions that lib/native.ts describes.
void ExportHeapCalls(napi_env env, napi_value exports);
void ExportBlockCalls(napi_env env, napi_value exports);
void ExportTokenCalls(napi_env env, napi_value exports);

// Only in hardened builds: a mistake, for a test that the core notices it.
void ExportMisuse(napi_env env, napi_value exports);

} // namespace miheap
