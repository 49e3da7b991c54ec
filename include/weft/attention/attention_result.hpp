// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an attention layer returns to those who also want its weights.
#pragma once

namespace weft {

/// The result of a layer's `with_weights`, or of `with_diagonal`.
template <class Output, class Weights>
struct AttentionResult {
  Output output;    ///< [batch, tokens, width]: what the layer's call returns
  Weights weights;  ///< [batch, heads, tokens, keys]: its adjacency, through which gradients flow; or [.., tokens, 1]
};

/// Both types from the values.
template <class Output, class Weights>
AttentionResult(Output, Weights) -> AttentionResult<Output, Weights>;

}  // namespace weft
