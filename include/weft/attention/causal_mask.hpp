// SPDX-License-Identifier: Apache-2.0
/// \file
/// The additive mask that a model of the reference hands to its layers, as a tensor.
#pragma once

#include <limits>

#include "weft/tensor/tensor.hpp"

namespace weft {

/// 0 where token i may see token j: j <= i and j is no padding; the smallest number of T elsewhere. Weft's layers take
/// `AttentionInputs::causal` and `key_valid` instead and never need it; it is for callers who have to pass such a mask on.
///
/// \param key_valid  [batch, tokens]: 1 = token, 0 = padding
/// \return           [batch, 1, tokens, tokens]
template <class T = float, class Valid>
Tensor<T, Shape<Dyn, 1, Dyn, Dyn>> causal_mask(const Valid& key_valid) {
  static_assert(Valid::Shape::rank == 2, "causal_mask(key_valid): key_valid must be [batch, tokens]");
  const Index batch = key_valid.extent(0);
  const Index tokens = key_valid.extent(1);
  Tensor<T, Shape<Dyn, 1, Dyn, Dyn>> mask(Shape<Dyn, 1, Dyn, Dyn>(batch, tokens, tokens));
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < tokens; ++i) {
      for (Index j = 0; j < tokens; ++j) {
        const bool visible = j <= i && key_valid(b, j) != 0;
        mask(b, 0, i, j) = visible ? T{0} : std::numeric_limits<T>::lowest();
      }
    }
  }
  return mask;
}

}  // namespace weft
