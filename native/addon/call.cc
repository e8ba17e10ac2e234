#include "call.h"

#include <iterator>

namespace miheap {

namespace {

std::string TextOf(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

} // namespace

Arguments::Arguments(napi_env environment, napi_callback_info info) : env(environment) {
  size_t count = std::size(values);
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
}

Heap& Arguments::HeapAt(size_t index) const {
  void* data = nullptr;
  napi_get_value_external(env, values[index], &data);
  return *static_cast<Heap*>(data);
}

size_t Arguments::SizeAt(size_t index) const {
  int64_t value = 0;
  napi_get_value_int64(env, values[index], &value);
  return static_cast<size_t>(value);
}

double Arguments::DoubleAt(size_t index) const {
  double value = 0;
  napi_get_value_double(env, values[index], &value);
  return value;
}

bool Arguments::BoolAt(size_t index) const {
  bool value = false;
  napi_get_value_bool(env, values[index], &value);
  return value;
}

std::string Arguments::TokenAt(size_t index) const {
  char text[64];
  size_t length = 0;
  napi_get_value_string_utf8(env, values[index], text, sizeof text, &length);
  return std::string(text, length);
}

std::string Arguments::TextAt(size_t index) const { return TextOf(env, values[index]); }

std::vector<std::string> Arguments::TextsAt(size_t index) const {
  uint32_t count = 0;
  napi_get_array_length(env, values[index], &count);
  std::vector<std::string> texts;
  texts.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element = nullptr;
    napi_get_element(env, values[index], i, &element);
    texts.push_back(TextOf(env, element));
  }
  return texts;
}

napi_value Null(napi_env env) {
  napi_value value = nullptr;
  napi_get_null(env, &value);
  return value;
}

napi_value Boolean(napi_env env, bool boolean) {
  napi_value value = nullptr;
  napi_get_boolean(env, boolean, &value);
  return value;
}

napi_value Number(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value Numbers(napi_env env, const std::vector<size_t>& numbers) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, numbers.size(), &array);
  for (size_t i = 0; i < numbers.size(); i++) {
    napi_set_element(env, array, static_cast<uint32_t>(i),
                     Number(env, static_cast<double>(numbers[i])));
  }
  return array;
}

napi_value Text(napi_env env, const char* text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

napi_value Answer(napi_env env, Status status) {
  napi_value value = nullptr;
  napi_create_int32(env, static_cast<int>(status), &value);
  return value;
}

napi_value AnswerNoMemory(napi_env env) {
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  return Answer(env, Status::kNoMemory);
}

napi_value Answer(napi_env env, const HandedOut& handed_out) {
  const auto [buffer, status] = handed_out;
  if (buffer != nullptr) return buffer;
  return status == Status::kNoMemory ? AnswerNoMemory(env) : Answer(env, status);
}

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

} // namespace miheap
