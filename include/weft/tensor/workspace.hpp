// SPDX-License-Identifier: Apache-2.0
/// \file
/// A bump arena: memory for the values of one step, given back all at once.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "weft/tensor/device.hpp"

namespace weft {

/// Memory that only grows, until `release` goes back to a mark. Blocks are kept: after a first step that showed how much
/// is needed, later steps of the same size allocate nothing.
template <class DeviceType>
class BasicWorkspace {
 public:
  /// A place to go back to.
  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
  };

  BasicWorkspace() = default;
  explicit BasicWorkspace(std::size_t bytes) { reserve(bytes); }

  /// Uninitialised, 64-byte aligned room for `count` elements, valid until a `release` to an earlier mark.
  template <class T>
  T* allocate(Index count) {
    constexpr Index most = (std::numeric_limits<Index>::max() - Index{kAlignment}) / static_cast<Index>(sizeof(T));
    if (count < 0 || count > most) [[unlikely]]
      fail_count(count, sizeof(T));
    const std::size_t bytes = align_up(static_cast<std::size_t>(std::max<Index>(count, 1)) * sizeof(T));
    while (current_ < blocks_.size() && blocks_[current_].bytes - used_ < bytes) {
      ++current_;
      used_ = 0;
    }
    if (current_ == blocks_.size()) add_block(bytes);
    T* pointer = reinterpret_cast<T*>(blocks_[current_].memory.get() + used_);
    used_ += bytes;
    peak_ = std::max(peak_, used());
    return pointer;
  }

  /// Where the next allocation begins.
  Mark mark() const { return {current_, used_}; }

  /// Calls body(std::byte* begin, std::size_t bytes) for the memory between two marks, the earlier of them first.
  template <class Body>
  void for_each_range(Mark begin, Mark end, Body&& body) const {
    for (; begin.block < end.block; begin = {begin.block + 1, 0}) {
      body(blocks_[begin.block].memory.get() + begin.used, blocks_[begin.block].bytes - begin.used);
    }
    if (begin.used < end.used) body(blocks_[begin.block].memory.get() + begin.used, end.used - begin.used);
  }

  /// Everything allocated since the mark is given back.
  void release(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
  }

  /// Gives everything back; memory that came in pieces becomes one block, so that a later step fits without gaps.
  void reset() {
    if (blocks_.size() > 1) {
      const std::size_t total = capacity();
      blocks_.clear();
      reserve(total);
    }
    release({});
  }

  /// Bytes that it owns.
  std::size_t capacity() const {
    std::size_t total = 0;
    for (const Block& block : blocks_) total += block.bytes;
    return total;
  }

  /// The most bytes that were in use at one time.
  std::size_t peak() const { return peak_; }

 private:
  struct Block {
    typename DeviceType::Buffer memory;
    std::size_t bytes;
  };

  [[noreturn, gnu::cold, gnu::noinline]] static void fail_count(Index count, std::size_t element_bytes) {
    fail(concat("Workspace: the number of elements must be at least 0 and fit into memory, found ", count, " of ",
                element_bytes, " bytes"));
  }

  static constexpr std::size_t kFirstBlock = std::size_t{1} << 16;

  void reserve(std::size_t bytes) { blocks_.push_back({DeviceType::allocate(bytes), bytes}); }
  void add_block(std::size_t bytes) { reserve(std::max({bytes, kFirstBlock, capacity() / 2})); }

  std::size_t used() const {
    std::size_t total = used_;
    for (std::size_t block = 0; block < current_; ++block) total += blocks_[block].bytes;
    return total;
  }

  std::vector<Block> blocks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

/// The workspace of host memory.
using Workspace = BasicWorkspace<Cpu>;

}  // namespace weft
