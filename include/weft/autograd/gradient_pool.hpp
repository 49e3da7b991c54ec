// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory for gradients of intermediate results: given back and reused within one backward pass.
#pragma once

#include <vector>

#include "weft/tensor/workspace.hpp"

namespace weft {

/// Hands out blocks from a bump arena and takes them back in any order. A step that repeats asks for the same sizes in
/// the same order, so after the first steps neither the arena nor the list of free blocks grows.
template <class DeviceType>
class GradientPool {
 public:
  void* allocate(std::size_t bytes) {
    bytes = align_up(bytes);
    std::size_t best = free_.size();
    for (std::size_t i = 0; i < free_.size(); ++i) {
      const bool fits = free_[i].bytes >= bytes && free_[i].bytes <= 2 * bytes;
      if (fits && (best == free_.size() || free_[i].bytes < free_[best].bytes)) best = i;
    }
    if (best == free_.size()) {
      blocks_.push_back({workspace_.template allocate<std::byte>(static_cast<Index>(bytes)), bytes});
      return blocks_.back().data;
    }
    void* data = free_[best].data;
    free_[best] = free_.back();
    free_.pop_back();
    return data;
  }

  void release(void* data) {
    for (const Block& block : blocks_) {
      if (block.data == data) {
        free_.push_back(block);
        return;
      }
    }
  }

  void reset() {
    free_.clear();
    blocks_.clear();
    workspace_.reset();
  }

  std::size_t peak() const { return workspace_.peak(); }

 private:
  struct Block {
    void* data;
    std::size_t bytes;
  };

  BasicWorkspace<DeviceType> workspace_;
  std::vector<Block> blocks_;
  std::vector<Block> free_;
};

}  // namespace weft
