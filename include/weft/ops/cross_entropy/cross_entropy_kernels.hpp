// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `cross_entropy`; the CPU's answer is in cross_entropy_cpu.hpp.
#pragma once

#include "weft/tensor/host_device.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Rows of logits and which target belongs to which.
struct CrossEntropySize {
  Index rows;
  Index vocabulary;
  Index tokens;        ///< extent of the last axis of targets: within it `shift` moves
  Index ignore_index;  ///< targets of this value do not count
  bool shift;          ///< row t predicts target t + 1; the last row of every sequence predicts nothing
};

/// The place of a row's target, or -1 when the row has none.
WEFT_HOST_DEVICE constexpr Index target_position(const CrossEntropySize& size, Index row) {
  if (!size.shift) return row;
  return row % size.tokens == size.tokens - 1 ? -1 : row + 1;
}

/// What a row predicts: a column of its logits, or -1 when the row does not count. Targets have been checked.
template <class Target>
WEFT_HOST_DEVICE constexpr Index target_of_row(const CrossEntropySize& size, const Target* targets, Index row) {
  const Index position = target_position(size, row);
  if (position < 0 || targets[position] == size.ignore_index) return -1;
  return targets[position];
}

/// A target that is neither a column nor ignored, and where it stands.
struct MisplacedTarget {
  Index position = -1;  ///< negative: there is none
  Index target = 0;
};

/// The losses of all rows that count, added up, and their number.
struct CrossEntropySum {
  double sum = 0;
  Index count = 0;

  double mean() const { return sum / static_cast<double>(count); }
};

/// Kernels of `cross_entropy` on a device. A specialisation provides find_misplaced, sum, forward and backward.
template <class DeviceType>
struct CrossEntropyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/cross_entropy/cross_entropy_cpu.hpp"
#endif
