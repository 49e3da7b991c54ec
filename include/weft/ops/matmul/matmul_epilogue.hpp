// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every matrix product here is told beside its operands.
#pragma once

namespace weft::kernels {

/// Whether an operand is used as it lies or transposed.
enum class Transpose : bool { no, yes };

/// What happens to a product on its way to memory: `C = alpha * op(A) op(B) [+ bias over rows] [+ C]`.
template <class T>
struct MatmulEpilogue {
  const T* bias = nullptr;  ///< n values added to every row, or nothing.
  bool accumulate = false;  ///< Adds to what C holds; otherwise C is only written, never read.
  T alpha = 1;              ///< Scales the product, not the bias and not the old C.
};

}  // namespace weft::kernels
