#pragma once

#include <string>

#include "memory.h"

namespace miheap {

struct Environment;

// What waits to be adopted, in the whole process. Each token names memory and is one of its owners.
// JavaScript sees only the name, and makes it hard to guess.
//
// Any thread may call these functions. They lock; no plain allocation or free calls them.
namespace tokens {

// Makes a token, which takes over the caller's ownership of `memory`. The token ends when it is
// adopted, if that may be `once`; with Release; or with `creator`.
void Put(const std::string& name, Shared* memory, bool once, const Environment* creator);

// The memory of a token, or null if there is no such token. The caller becomes an owner of it, which
// no other thread notices: it may adopt or release the same token meanwhile.
Shared* Open(const std::string& name);

// The last step of adopting what Open returned; false if the token has ended since. A token for
// once ends.
bool Take(const std::string& name);

// Ends a token; false if there is none of that name. Adds the bytes that came back to `freed`.
bool Release(const std::string& name, size_t& freed);

// Ends all tokens of `creator`.
void ReleaseAllOf(const Environment* creator);

} // namespace tokens

} // namespace miheap
