#pragma once

#include <cstddef>
#include <vector>

namespace miheap {

// How many blocks of which sizes a heap has: every 16 bytes up to 128, then eight classes to each
// doubling, as the core has them.
class SizeClasses {
public:
  struct Row {
    size_t up_to; // the largest size in this class
    size_t blocks;
    size_t bytes; // as asked for
  };

  void Add(size_t size);
  void Remove(size_t size);
  // Those with a block.
  std::vector<Row> Rows() const;

private:
  struct Count {
    size_t blocks = 0;
    size_t bytes = 0;
  };
  std::vector<Count> counts_; // as long as the largest class so far asks for
};

} // namespace miheap
