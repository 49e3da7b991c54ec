// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where packed sequences lie in rows of tokens, for operations that take them apart or put them together.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Texts in rows of `tokens` tokens: several side by side in a row, or, where this is empty, one in each. Texts and
/// tokens are counted through all rows. A view, which must outlive the step on a tape.
struct PackedRows {
  Index sequences = 0;
  Index longest = 0;                       ///< tokens of the longest
  const std::int32_t* sequence = nullptr;  ///< [rows * tokens]: the text of each token
  const Index* starts = nullptr;           ///< [sequences + 1]: the first token of each text, and the end of the last

  /// Whether texts share rows.
  explicit operator bool() const { return sequence != nullptr; }

  /// The text of a token.
  Index text_of(Index at, Index tokens) const { return sequence != nullptr ? sequence[at] : at / tokens; }
  /// The first token of a text.
  Index begin(Index text, Index tokens) const { return sequence != nullptr ? starts[text] : text * tokens; }
  /// The tokens of a text.
  Index length(Index text, Index tokens) const {
    return sequence != nullptr ? starts[text + 1] - starts[text] : tokens;
  }
};

/// The same from `first_key` [batch, tokens], the first token of each token's sequence within its row (see
/// AttentionInputs), in the context's memory. Null: empty.
template <class Context>
PackedRows packed_rows(Context& context, const std::int32_t* first_key, Index batch, Index tokens) {
  if (first_key == nullptr) return {};
  const Index count = batch * tokens;
  std::int32_t* sequence = context.workspace().template allocate<std::int32_t>(count);
  std::int32_t current = -1;
  for (Index at = 0; at < count; ++at) {
    const Index t = at % tokens;
    if (first_key[at] == t) {
      ++current;
    } else if (t == 0 || first_key[at] != first_key[at - 1]) {
      fail(concat("packed texts: first_key must be the first token of each token's sequence, found ", first_key[at],
                  " for token ", t, " of row ", at / tokens));
    }
    sequence[at] = current;
  }
  const Index sequences = current + 1;
  Index* starts = context.workspace().template allocate<Index>(sequences + 1);
  starts[sequences] = count;
  for (Index at = count - 1; at >= 0; --at) starts[sequence[at]] = at;
  Index longest = 0;
  for (Index s = 0; s < sequences; ++s) longest = std::max(longest, starts[s + 1] - starts[s]);
  return {sequences, longest, sequence, starts};
}

}  // namespace weft
