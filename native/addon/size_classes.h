#pragma once

#include <cstddef>
#include <vector>

namespace miheap {

// Counts a heap's blocks by size. Like the core, it has a class for every 16 bytes up to 128, then
// eight classes for each doubling.
class SizeClasses {
public:
  struct Row {
    size_t up_to; // the largest size in this class
    size_t blocks;
    size_t bytes; // as asked for
  };

  void Add(size_t size);
  void Remove(size_t size);
  // The classes that have a block, smallest first.
  std::vector<Row> Rows() const;

private:
  struct Count {
    size_t blocks = 0;
    size_t bytes = 0;
  };
  std::vector<Count> counts_; // up to the largest class so far
};

} // namespace miheap
