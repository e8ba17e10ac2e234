#include "tokens.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace miheap::tokens {

namespace {

struct Token {
  Shared* memory;
  bool once;
  const Environment* creator;
};

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::string, Token> tokens;
};

// Never destroyed: threads may still be running when the process exits.
Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

} // namespace

void Put(const std::string& name, Shared* memory, bool once, const Environment* creator) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  registry.tokens.emplace(name, Token{memory, once, creator});
}

Shared* Open(const std::string& name) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto found = registry.tokens.find(name);
  if (found == registry.tokens.end()) return nullptr;
  found->second.memory->Retain();
  return found->second.memory;
}

bool Take(const std::string& name) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto found = registry.tokens.find(name);
  if (found == registry.tokens.end()) return false;
  if (found->second.once) {
    found->second.memory->Release(); // frees nothing: the caller is an owner
    registry.tokens.erase(found);
  }
  return true;
}

bool Release(const std::string& name, size_t& freed) {
  Registry& registry = TheRegistry();
  Shared* memory;
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    const auto found = registry.tokens.find(name);
    if (found == registry.tokens.end()) return false;
    memory = found->second.memory;
    registry.tokens.erase(found);
  }
  freed += memory->Release();
  return true;
}

void ReleaseAllOf(const Environment* creator) {
  Registry& registry = TheRegistry();
  std::vector<Shared*> released;
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    for (auto token = registry.tokens.begin(); token != registry.tokens.end();) {
      if (token->second.creator != creator) {
        ++token;
      } else {
        released.push_back(token->second.memory);
        token = registry.tokens.erase(token);
      }
    }
  }
  for (Shared* memory : released) memory->Release();
}

} // namespace miheap::tokens
