#pragma once

#include <napi.h>

#include <cstddef>
#include <string>
#include <vector>

#include "block.h"
#include "status.h"

namespace miheap {

struct Heap;

// The arguments of a call, as lib/native.ts declares them. lib/ has checked all but buffers: these
// are for Block::Find, which takes any value.
struct Arguments {
  Arguments(napi_env env, napi_callback_info info);

  Heap& HeapAt(size_t index) const;
  size_t SizeAt(size_t index) const;
  double DoubleAt(size_t index) const;
  bool BoolAt(size_t index) const;
  // The first 63 bytes of a text. A token has no more, so a longer text names none.
  std::string TokenAt(size_t index) const;
  std::string TextAt(size_t index) const;
  std::vector<std::string> TextsAt(size_t index) const;

  napi_env env;
  napi_value values[4];
};

napi_value Null(napi_env env);
napi_value Boolean(napi_env env, bool boolean);
napi_value Number(napi_env env, double number);
napi_value Numbers(napi_env env, const std::vector<size_t>& numbers);
napi_value Text(napi_env env, const char* text);

napi_value Answer(napi_env env, Status status);
// Answers kNoMemory, and clears an exception that a failed call of the runtime may have left.
napi_value AnswerNoMemory(napi_env env);
// Answers the buffer, or why there is none.
napi_value Answer(napi_env env, const HandedOut& handed_out);

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback);

} // namespace miheap
