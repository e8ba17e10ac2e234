#pragma once

#include <napi.h>

namespace miheap {

// Each adds a group of the calls that lib/native.ts describes.
void ExportHeapCalls(napi_env env, napi_value exports);
void ExportBlockCalls(napi_env env, napi_value exports);
void ExportTokenCalls(napi_env env, napi_value exports);
void ExportProcessCalls(napi_env env, napi_value exports);

// Adds a call that frees a block twice, to test that the core notices. Hardened builds only.
void ExportMisuse(napi_env env, napi_value exports);

} // namespace miheap
