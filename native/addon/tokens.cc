#include "tokens.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace miheap::tokens {

namespace {

struct Token {
  Shared* memory;
  bool once;
  bool claimed;
  const Environment* creator; // null if it ended while the token was claimed
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
  registry.tokens.emplace(name, Token{memory, once, false, creator});
}

Shared* Claim(const std::string& name) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto found = registry.tokens.find(name);
  if (found == registry.tokens.end() || found->second.claimed) return nullptr;
  Token& token = found->second;
  if (token.once)
    token.claimed = true;
  else
    token.memory->Retain();
  return token.memory;
}

void Settle(const std::string& name, Shared* memory, bool adopted) {
  Registry& registry = TheRegistry();
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    const auto found = registry.tokens.find(name);
    // Only tokens for once are marked as claimed.
    const bool claimed = found != registry.tokens.end() && found->second.claimed;
    if (claimed && !adopted && found->second.creator != nullptr) {
      found->second.claimed = false;
      return;
    }
    if (claimed) registry.tokens.erase(found);
  }
  if (!adopted) memory->Release();
}

bool Release(const std::string& name, size_t& freed) {
  Registry& registry = TheRegistry();
  Shared* memory;
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    const auto found = registry.tokens.find(name);
    if (found == registry.tokens.end() || found->second.claimed) return false;
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
      } else if (token->second.claimed) {
        token->second.creator = nullptr;
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
