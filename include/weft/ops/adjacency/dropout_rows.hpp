// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dropout of attention weights on a block of rows.
#pragma once

#include "weft/ops/adjacency/adjacency_input.hpp"
#include "weft/ops/dropout/philox_vectors.hpp"

namespace weft::kernels::detail {

/// to = from times what dropout makes of each weight, 0 or 1 / (1 - p); the same weights as in `attention_forward`. `to` may be
/// `from`. Rows [count, width].
template <class T>
void drop_rows(const AttentionInput<T>& in, const AdjacencyBlock& block, const T* from, T* to) {
  static_assert(kDropoutQueries == kPhiloxWords);
  const T scale = static_cast<T>(in.dropout->scale);
  const Index offset = block.first % kDropoutQueries;  // a block of rows never reaches into the next one of words
  for (Index j = 0; j < block.width; ++j) {
    std::uint32_t words[kPhiloxWords];
    philox_words(in.dropout->rng, dropout_word(in.size, block.batch, block.head, block.first / kDropoutQueries, j),
                 words);
    for (Index r = 0; r < block.count; ++r) {
      const Index at = r * block.width + j;
      to[at] = (words[offset + r] >> 8) >= in.dropout->threshold ? from[at] * scale : T{0};
    }
  }
}

}  // namespace weft::kernels::detail
