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

// The memory of a token that the caller is about to adopt, or null if there is no such token. No
// other thread can claim a token for once until the caller has called Settle. With any other token,
// the caller becomes an owner of the memory.
Shared* Claim(const std::string& name);

// Ends a claim. If `adopted`, the caller owns the memory, and a token for once ends. Otherwise the
// claim is undone; a token whose creator has ended meanwhile ends.
void Settle(const std::string& name, Shared* memory, bool adopted);

// Ends a token; false if there is none of that name. Adds the bytes that came back to `freed`.
bool Release(const std::string& name, size_t& freed);

// Ends all tokens of `creator`; those that are claimed end when they are settled.
void ReleaseAllOf(const Environment* creator);

} // namespace tokens

} // namespace miheap
