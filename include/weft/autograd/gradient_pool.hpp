// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory for gradients of intermediate results: given back and reused within one backward pass.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/tensor/workspace.hpp"

namespace weft {

/// Hands out memory from a bump arena and from what it was given, and takes it back in any order. Neighbouring free ranges
/// become one, and an allocation takes a part of the smallest that holds it. A step that repeats asks for the same sizes in
/// the same order, so after the first steps neither the arena nor the list of free ranges grows.
template <class DeviceType>
class GradientPool {
 public:
  void* allocate(std::size_t bytes) {
    bytes = padded(bytes);
    auto best = free_.end();
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      if (range->bytes >= bytes && (best == free_.end() || range->bytes < best->bytes)) best = range;
    }
    if (best == free_.end()) return workspace_.template allocate<std::byte>(static_cast<Index>(bytes));
    std::byte* const data = best->data;
    best->data += bytes;
    best->bytes -= bytes;
    if (best->bytes == 0) free_.erase(best);
    return data;
  }

  /// Takes back what `allocate` returned for `bytes`.
  void release(void* data, std::size_t bytes) { give(static_cast<std::byte*>(data), padded(bytes)); }

  /// Memory of another owner, to be used until `reset`; aligned, and whole multiples of `kAlignment`.
  void give(std::byte* data, std::size_t bytes) {
    if (bytes == 0) return;
    const auto next = std::find_if(free_.begin(), free_.end(), [&](const Range& range) { return range.data > data; });
    const bool joins_next = next != free_.end() && data + bytes == next->data;
    if (next != free_.begin() && (next - 1)->data + (next - 1)->bytes == data) {
      (next - 1)->bytes += bytes + (joins_next ? next->bytes : 0);
      if (joins_next) free_.erase(next);
    } else if (joins_next) {
      *next = {data, bytes + next->bytes};
    } else {
      free_.insert(next, {data, bytes});
    }
  }

  void reset() {
    free_.clear();
    workspace_.reset();
  }

  /// The most bytes that were needed beside what was given.
  std::size_t peak() const { return workspace_.peak(); }

 private:
  /// Free memory; the list is sorted by address.
  struct Range {
    std::byte* data;
    std::size_t bytes;
  };

  static std::size_t padded(std::size_t bytes) { return align_up(std::max<std::size_t>(bytes, 1)); }

  BasicWorkspace<DeviceType> workspace_;
  std::vector<Range> free_;
};

}  // namespace weft
