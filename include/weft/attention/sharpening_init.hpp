// SPDX-License-Identifier: Apache-2.0
/// \file
/// The first value of the learned sharpening of GIN attention.
#pragma once

namespace weft {

/// `sharpening_value_init`: a given value, or uniform in [0.5, 1.5).
enum class SharpeningInit { value, random };

}  // namespace weft
