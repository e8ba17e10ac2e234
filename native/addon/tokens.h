#pragma once

#include <string>

#include "memory.h"

namespace miheap {

struct Environment;

// What waits to be adopted, in the whole process: each token names memory and owns a part of it. The
// name is all that JavaScript sees, and is as hard to guess as it is long.
//
// Any thread calls these. They lock, but no path of a plain allocation or free comes here.
namespace tokens {

// The token owns what the caller owned of `memory`. It ends when it is adopted, if that may be
// `once`; with Release; or with `creator`.
void Put(const std::string& name, Shared* memory, bool once, const Environment* creator);

// The memory of a token that the caller is about to adopt, or null if there is no such token. What
// may be had once, nobody else gets until the caller has called Settle. Of what may be had often,
// the caller owns a part now.
Shared* Claim(const std::string& name);

// Ends a claim. If `adopted`, the caller keeps what it owns of the memory, and a token for once ends.
// Else nothing has happened.
void Settle(const std::string& name, Shared* memory, bool adopted);

// False if there is no such token. Adds how many bytes came back to `freed`.
bool Release(const std::string& name, size_t& freed);

void ReleaseAllOf(const Environment* creator);

} // namespace tokens

} // namespace miheap
