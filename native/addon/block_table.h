#pragma once

#include <cstddef>
#include <functional>

namespace miheap {

struct Block;

// The live blocks of an environment, by address: a hash table whose lists run through the blocks
// themselves, so that Insert cannot fail.
//
// Several blocks may have one address, such as shared memory that was adopted where it came from.
class BlockTable {
public:
  BlockTable() = default;
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;
  ~BlockTable();

  void Insert(Block& block);
  // `block` must be in the table.
  void Erase(Block& block);
  // A block at `address`, or null.
  Block* Find(const void* address) const;
  // The next block at the address of `block`, or null. Find and FindNext return each block once.
  static Block* FindNext(const Block& block);

  // `visit` may not insert or erase.
  void ForEach(const std::function<void(Block& block)>& visit) const;

private:
  static constexpr size_t kFewest = 64; // lists; their number is always a power of two

  static void Push(Block*& list, Block& block);
  Block*& ListOf(const void* address) const;
  // Does nothing if there is no memory; the lists just get longer.
  void Resize(size_t lists);

  Block* few_[kFewest] = {};
  Block** lists_ = few_;
  size_t list_count_ = kFewest;
  size_t block_count_ = 0;
};

} // namespace miheap
