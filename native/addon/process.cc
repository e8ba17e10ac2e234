#include "process.h"

#include <string>
#include <vector>

#include <miheap.h>

#include "environment.h"
#include "memory.h"
#include "platform.h"

namespace miheap {

namespace {

Napi::Value ProcessStats(const Napi::CallbackInfo& info) {
  size_t elapsed, user, system, rss, peak_rss, faults;
  mi_process_info(&elapsed, &user, &system, &rss, &peak_rss, nullptr, nullptr, &faults);
  const size_t rows[] = {elapsed, user, system, rss, peak_rss, faults, BytesHeld(), BlocksHeld()};
  Napi::Array result = Napi::Array::New(info.Env(), std::size(rows));
  for (uint32_t i = 0; i < std::size(rows); i++) result[i] = static_cast<double>(rows[i]);
  return result;
}

/* JSON: strings are cheaper to pass than objects. */
Napi::Value AllocatorStats(const Napi::CallbackInfo& info) {
  char* text = mi_stats_get_json(0, nullptr);
  if (text == nullptr) return info.Env().Null();
  const Napi::String result = Napi::String::New(info.Env(), text);
  mi_free(text);
  return result;
}

Napi::Value PreloadedAllocatorStats(const Napi::CallbackInfo& info) {
  const std::string text = PreloadedStats();
  return text.empty() ? info.Env().Null() : Napi::String::New(info.Env(), text);
}

void OnCollectWanted(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).OnCollectWanted(info[0].As<Napi::Function>());
}

Napi::Value CollectIfIdle(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::Of(info.Env()).CollectIfIdle());
}

void EndsEarly(const Napi::CallbackInfo& info) { Environment::Of(info.Env()).sentinel.Enable(); }

void BeforeEnd(const Napi::CallbackInfo& info) { Environment::Of(info.Env()).sentinel.BeforeEnd(); }

std::vector<std::string> Strings(const Napi::Value& value) {
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); i++) {
    strings.push_back(static_cast<Napi::Value>(array[i]).As<Napi::String>().Utf8Value());
  }
  return strings;
}

Napi::Value Run(const Napi::CallbackInfo& info) {
  const std::string file = info[0].As<Napi::String>().Utf8Value();
  return Napi::Number::New(info.Env(), Execute(file, Strings(info[1]), Strings(info[2])));
}

} // namespace

void ExportProcess(Napi::Env env, Napi::Object exports) {
  exports["external"] = Environment::Of(env).external;
  exports["processStats"] = Napi::Function::New<ProcessStats>(env, "processStats");
  exports["allocatorStats"] = Napi::Function::New<AllocatorStats>(env, "allocatorStats");
  exports["preloadedStats"] = Napi::Function::New<PreloadedAllocatorStats>(env, "preloadedStats");
  exports["onCollectWanted"] = Napi::Function::New<OnCollectWanted>(env, "onCollectWanted");
  exports["collectIfIdle"] = Napi::Function::New<CollectIfIdle>(env, "collectIfIdle");
  exports["endsEarly"] = Napi::Function::New<EndsEarly>(env, "endsEarly");
  exports["beforeEnd"] = Napi::Function::New<BeforeEnd>(env, "beforeEnd");
  exports["execute"] = Napi::Function::New<Run>(env, "execute");
}

} // namespace miheap
