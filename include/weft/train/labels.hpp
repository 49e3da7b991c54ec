// SPDX-License-Identifier: Apache-2.0
/// \file
/// How many labels a loss is a mean over.
#pragma once

#include <array>
#include <string_view>

#include "weft/autograd/operand.hpp"
#include "weft/models/enum_names.hpp"

namespace weft {

/// What the summed loss of all parts of an update is divided by.
enum class LossNormalization {
  /// The labels that are predicted: in each sequence all but the first, without the ignored. The mean loss, as
  /// `model.loss` gives it for one batch.
  predicted,
  /// All labels that are not ignored, the first of each sequence included: what Hugging Face's Trainer (since 4.46) passes
  /// as `num_items_in_batch`. With blocks of T tokens, loss and gradient are (T - 1) / T of `predicted`.
  hugging_face,
};
template <>
inline constexpr std::array<std::string_view, 2> enum_names<LossNormalization>{"predicted", "hugging_face"};

/// The labels [batch, tokens] that count.
template <class Labels>
Index count_labels(const Labels& labels, LossNormalization normalization, Index ignore_index = -100) {
  static_assert(ShapeOf<Labels>::rank == 2, "count_labels(labels): labels must be [batch, tokens]");
  const Index first = normalization == LossNormalization::predicted ? 1 : 0;
  Index count = 0;
  for (Index row = 0; row < labels.extent(0); ++row) {
    const auto* tokens = labels.data() + row * labels.extent(1);
    for (Index t = first; t < labels.extent(1); ++t) count += tokens[t] != ignore_index ? 1 : 0;
  }
  return count;
}

}  // namespace weft
