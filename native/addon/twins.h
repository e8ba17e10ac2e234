#pragma once

#include <napi.h>

namespace miheap {

struct Block;

// Blocks that have an address in common, by the ArrayBuffers that show them: a WeakMap, made when
// there are such blocks. Shared memory that one thread adopts many times would otherwise be
// searched for as long as there are buffers.
class Twins {
public:
  explicit Twins(napi_env env);

  // `block` must live until `buffer` is collected or shows no memory. False, and no exception, if
  // there is no stack or no memory left.
  bool Add(napi_value buffer, Block& block);
  // The block that was added with `buffer`, or null.
  Block* Find(napi_value buffer) const;
  void Close();

private:
  bool Make();

  napi_env const env_;
  // As they were when this module was loaded.
  Napi::FunctionReference weak_map_;
  Napi::FunctionReference get_;
  Napi::FunctionReference set_;
  Napi::ObjectReference blocks_;
};

} // namespace miheap
