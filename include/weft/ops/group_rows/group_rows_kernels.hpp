// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `add_group_rows`; the CPU's answer is in group_rows_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Tokens [shift + n * group_size, shift + (n + 1) * group_size) are group n; tokens before `shift`, those after the last
/// row and those that `keep` [batch, tokens] marks with 0 belong to none.
struct GroupRowsSize {
  Index batch;
  Index tokens;
  Index rows;
  Index features;
  Index group_size;
  Index shift;
  const std::int32_t* keep;

  /// The row of a token, or -1.
  Index row_of(Index b, Index t) const {
    if (t < shift || (keep != nullptr && keep[b * tokens + t] == 0)) return -1;
    const Index row = (t - shift) / group_size;
    return row < rows ? row : -1;
  }
};

/// Kernels of `add_group_rows` on a device. A specialisation provides forward, backward_rows and add.
template <class DeviceType>
struct GroupRowsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/group_rows/group_rows_cpu.hpp"
#endif
