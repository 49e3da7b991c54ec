// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names of the activation functions.
#pragma once

namespace weft {

/// A function of one element, as the modules of torch.nn compute it.
enum class Activation {
  identity,   ///< x
  silu,       ///< x σ(x)
  gelu,       ///< x Φ(x), Φ the standard normal distribution
  gelu_tanh,  ///< x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
  relu,       ///< max(x, 0); the derivative at 0 is 0
  sigmoid,    ///< σ(x) = 1 / (1 + e⁻ˣ)
  tanh,       ///< tanh x
  softplus,   ///< ln(1 + eˣ); x where x > 20
};

}  // namespace weft
