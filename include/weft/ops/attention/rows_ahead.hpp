// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory that attention will need next, fetched while it computes.
#pragma once

#include <algorithm>

#include "weft/ops/matmul/micro_kernel.hpp"

namespace weft::kernels::detail {

/// Rows that will soon be read or written. A head's rows lie as far apart as a token's features, so that the machine does not
/// see them coming; the product kernels fetch them instead, two lines with every step of their depth.
class RowsAhead {
 public:
  void clear() { count_ = next_ = 0; }

  /// Rows of `width` elements, `stride` elements apart. More ranges than there is room for are ignored.
  template <class T>
  void add(const T* rows, Index stride, Index count, Index width) {
    if (count_ == kRanges || width == 0) return;
    const Index bytes = static_cast<Index>(sizeof(T));
    const Index steps = (width * bytes + kStep - 1) / kStep;
    ranges_[count_++] = {reinterpret_cast<const char*>(rows), stride * bytes, count, steps};
  }

  /// What a tile shall fetch in `steps` steps of its depth: nothing when all has been fetched.
  Lookahead take(Index steps) {
    while (next_ < count_ && ranges_[next_].rows <= 0) ++next_;
    if (next_ == count_) return {};
    Range& range = ranges_[next_];
    const Index rows = std::clamp<Index>(steps / range.steps, 1, range.rows);
    const Lookahead lines{range.at, kStep, range.steps, range.stride - kStep * range.steps, rows * range.steps};
    range.at += rows * range.stride;
    range.rows -= rows;
    return lines;
  }

 private:
  static constexpr Index kStep = 128;  // two lines
  static constexpr int kRanges = 8;

  struct Range {
    const char* at;
    Index stride;  ///< bytes
    Index rows;    ///< not fetched yet
    Index steps;   ///< for one row
  };

  Range ranges_[kRanges];
  int count_ = 0;
  int next_ = 0;
};

}  // namespace weft::kernels::detail
