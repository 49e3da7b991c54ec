// SPDX-License-Identifier: Apache-2.0
/// \file
/// The steps of a feed-forward block along an adjacency, in its cache.
#pragma once

#include "weft/layers/row_cache.hpp"
#include "weft/ops/hop_sum/hop_sum.hpp"

namespace weft {

/// `hops` parts of one width in a cache, the first of them behind `column` values a token.
template <class T>
HopLevels<T> hop_levels(RowCache<T>& cache, Index hops, Index width, Index column = 0) {
  HopLevels<T> result{{}, cache.capacity(), cache.length()};
  for (Index k = 0; k < hops; ++k) result.levels[static_cast<std::size_t>(k)] = cache.part(column + k * width);
  return result;
}

}  // namespace weft
