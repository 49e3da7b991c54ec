// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which elements dropout keeps: a function of a random stream and an element's position.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "weft/autograd/operand.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

/// Which elements stay, and what they are multiplied by. Element i stays where the upper 24 bits of word i of the
/// stream, rng.words(i / 4)[i % 4] >> 8, are at least `threshold`: where rng.uniform(i) >= probability.
struct DropoutMask {
  Rng rng;
  std::uint32_t threshold;
  double scale;

  DropoutMask(Rng stream, double probability)
      : rng(stream),
        threshold(static_cast<std::uint32_t>(std::ceil(probability * 0x1.0p24))),
        scale(1 / (1 - probability)) {}
};

/// The mask of the next dropout with this probability: from the next stream of a tape whose dropout is switched on; none
/// elsewhere and for probability 0, where dropout is the identity. `operation` begins the message for a probability outside
/// of [0, 1).
template <class Context>
std::optional<DropoutMask> next_dropout_mask([[maybe_unused]] Context& context, double probability,
                                             std::string_view operation) {
  if (!(probability >= 0 && probability < 1)) {
    fail(concat(operation, ": the probability must be in [0, 1), found ", probability));
  }
  if constexpr (Context::records) {
    if (context.dropping() && probability > 0) return DropoutMask(context.next_dropout_stream(), probability);
  }
  return std::nullopt;
}

}  // namespace weft
