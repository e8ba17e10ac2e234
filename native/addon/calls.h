#pragma once

#include <napi.h>

namespace miheap {

// Each adds functions that lib/native.ts describes.
void ExportHeapCalls(napi_env env, napi_value exports);
void ExportBlockCalls(napi_env env, napi_value exports);
void ExportTokenCalls(napi_env env, napi_value exports);
void ExportProcessCalls(napi_env env, napi_value exports);

// Adds a function that frees a block twice, for the test that the core notices. Hardened builds only.
void ExportMisuse(napi_env env, napi_value exports);

} // namespace miheap
