#pragma once

#include <napi.h>

namespace miheap {

// What concerns the process, not one heap.
void ExportProcess(Napi::Env env, Napi::Object exports);

} // namespace miheap
