#include "size_classes.h"

#include <cstdint>

namespace miheap {

namespace {

constexpr size_t kLinear = 8; // classes of 16 bytes each

// Classes 0 to 7 end at 16, 32, … 128. Above that, the highest bit of size - 1 and the three bits
// below it give the class.
size_t ClassOf(size_t size) {
  const uint64_t last = size - 1;
  if (last < 128) return last / 16;
  size_t highest = 0;
  for (size_t step = 32; step > 0; step /= 2) {
    if (last >> highest >> step != 0) highest += step;
  }
  return kLinear + (highest - 7) * 8 + ((last >> (highest - 3)) & 7);
}

size_t UpTo(size_t index) {
  if (index < kLinear) return (index + 1) * 16;
  const size_t highest = (index - kLinear) / 8 + 7;
  const size_t eighths = (index - kLinear) % 8 + 9;
  return eighths << (highest - 3);
}

} // namespace

void SizeClasses::Add(size_t size) {
  const size_t index = ClassOf(size);
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index].blocks++;
  counts_[index].bytes += size;
}

void SizeClasses::Remove(size_t size) {
  Count& count = counts_[ClassOf(size)];
  count.blocks--;
  count.bytes -= size;
}

std::vector<SizeClasses::Row> SizeClasses::Rows() const {
  std::vector<Row> rows;
  for (size_t i = 0; i < counts_.size(); i++) {
    if (counts_[i].blocks != 0) rows.push_back({UpTo(i), counts_[i].blocks, counts_[i].bytes});
  }
  return rows;
}

} // namespace miheap
