// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which equations the layers of `causal_pna` follow.
#pragma once

namespace weft {

/// Which equations a `CausalPNALayer` follows.
enum class PNAForm {
  reference,  ///< what the reference executes in the few settings in which it runs at all (quirk L9); others are refused
  corrected,  ///< what it means to
};

}  // namespace weft
