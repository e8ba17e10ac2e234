#include "block_table.h"

#include <cstdint>

#include <miheap.h>

#include "block.h"

namespace miheap {

BlockTable::~BlockTable() {
  if (lists_ != few_) mi_free(lists_);
}

Block*& BlockTable::ListOf(const void* address) const {
  // The upper half of the product depends on all bits of the address but the lowest three, which
  // are 0.
  const uint64_t product =
      (reinterpret_cast<uintptr_t>(address) >> 3) * UINT64_C(0x9e3779b97f4a7c15);
  return lists_[(product >> 32) & (list_count_ - 1)];
}

void BlockTable::Push(Block*& list, Block& block) {
  block.table_next = list;
  block.table_previous = nullptr;
  if (list != nullptr) list->table_previous = &block;
  list = &block;
}

void BlockTable::Insert(Block& block) {
  if (block_count_ >= list_count_) Resize(list_count_ * 2);
  Push(ListOf(block.memory.start), block);
  block_count_++;
}

void BlockTable::Erase(Block& block) {
  Block* const next = block.table_next;
  Block* const previous = block.table_previous;
  if (next != nullptr) next->table_previous = previous;
  (previous != nullptr ? previous->table_next : ListOf(block.memory.start)) = next;
  block_count_--;
  if (list_count_ > kFewest && block_count_ < list_count_ / 8) Resize(list_count_ / 2);
}

Block* BlockTable::Find(const void* address) const {
  Block* block = ListOf(address);
  while (block != nullptr && block->memory.start != address) block = block->table_next;
  return block;
}

Block* BlockTable::FindNext(const Block& block) {
  Block* next = block.table_next;
  while (next != nullptr && next->memory.start != block.memory.start) next = next->table_next;
  return next;
}

void BlockTable::ForEach(const std::function<void(Block& block)>& visit) const {
  for (size_t i = 0; i < list_count_; i++) {
    for (Block* block = lists_[i]; block != nullptr; block = block->table_next) visit(*block);
  }
}

void BlockTable::Resize(size_t lists) {
  Block** const old = lists_;
  const size_t old_count = list_count_;
  if (lists > kFewest) {
    Block** const fresh = static_cast<Block**>(mi_calloc(lists, sizeof(Block*)));
    if (fresh == nullptr) return;
    lists_ = fresh;
  } else {
    lists_ = few_;
    for (Block*& list : few_) list = nullptr;
  }
  list_count_ = lists;
  for (size_t i = 0; i < old_count; i++) {
    for (Block* block = old[i]; block != nullptr;) {
      Block* const next = block->table_next;
      Push(ListOf(block->memory.start), *block);
      block = next;
    }
  }
  if (old != few_) mi_free(old);
}

} // namespace miheap
