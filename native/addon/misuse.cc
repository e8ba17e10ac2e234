#include <miheap.h>

#include "call.h"
#include "calls.h"

namespace miheap {

namespace {

napi_value FreeTwice(napi_env, napi_callback_info) {
  void* const block = mi_malloc(1000);
  mi_free(block);
  mi_free(block);
  return nullptr;
}

} // namespace

void ExportMisuse(napi_env env, napi_value exports) {
  Export(env, exports, "freeTwice", FreeTwice);
}

} // namespace miheap
