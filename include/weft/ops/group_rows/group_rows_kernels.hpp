// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `add_group_rows`; the CPU's answer is in group_rows_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/packed_rows.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Tokens [shift + n * group_size, shift + (n + 1) * group_size) of a text are its group n; tokens before `shift`, those
/// after the last row and those that `keep` [batch, tokens] marks with 0 belong to none.
struct GroupRowsSize {
  Index batch;
  Index tokens;
  Index rows;  ///< of one text
  Index features;
  Index group_size;
  Index shift;
  const std::int32_t* keep;
  PackedRows packed = {};

  Index texts() const { return packed ? packed.sequences : batch; }

  /// The row of a token, both counted through all texts, or -1.
  Index row_of(Index at) const {
    const Index text = packed.text_of(at, tokens);
    const Index t = at - packed.begin(text, tokens);
    if (t < shift || (keep != nullptr && keep[at] == 0)) return -1;
    const Index row = (t - shift) / group_size;
    return row < rows ? text * rows + row : -1;
  }
};

/// Kernels of `add_group_rows` on a device. A specialisation provides forward, backward_rows and add.
template <class DeviceType>
struct GroupRowsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/group_rows/group_rows_cpu.hpp"
#endif
