// SPDX-License-Identifier: Apache-2.0
/// \file
/// The additive mask of a call as kernels read it.
#pragma once

#include "weft/attention/attention_inputs.hpp"

namespace weft::detail {

/// Entry (i, j) of batch b lies at data[b * batch_stride + i * row_stride + j]; null: there is no mask.
template <class T>
struct AdditiveRows {
  const T* data = nullptr;
  Index batch_stride = 0;
  Index row_stride = 0;
};

/// `inputs.additive_mask` for a problem of these extents. As in the reference, which adds `mask[..., :keys]`, columns
/// beyond the keys are left out and axes of extent 1 are repeated: their stride is 0. Other extents are an error.
template <class T>
AdditiveRows<T> additive_rows(const AttentionInputs<T>& inputs, Index batch, Index queries, Index keys) {
  const auto& mask = inputs.additive_mask;
  if (mask.data() == nullptr) return {};
  const Index rows = mask.extent(2);
  const Index columns = mask.extent(3);
  const bool fits =
      (mask.extent(0) == batch || mask.extent(0) == 1) && (rows == queries || rows == 1) && columns >= keys;
  if (!fits) {
    fail(concat("AttentionInputs: additive_mask must be [1 or ", batch, ", 1, 1 or ", queries, ", ", keys,
                " or more], found shape ", mask.shape().text()));
  }
  return {mask.data(), mask.extent(0) == 1 ? 0 : rows * columns, rows == 1 ? 0 : columns};
}

}  // namespace weft::detail
