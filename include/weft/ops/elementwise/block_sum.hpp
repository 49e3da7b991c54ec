// SPDX-License-Identifier: Apache-2.0
/// \file
/// A sum over a whole tensor, the same for any number of threads.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/rows.hpp"

namespace weft::kernels {

/// Σ of the terms that `add_terms(i, access, sums)` adds for every vector of `count` elements (see `row_sums`). Blocks
/// of a fixed size are summed in T, the blocks one after the other in double: the order depends on `count` alone.
template <class Tag, class T, class AddTerms>
inline T block_sum(Index count, AddTerms&& add_terms) {
  constexpr Index block = 4096;
  const Index blocks = (count + block - 1) / block;
  T* sums = thread_scratch<Tag, T>(blocks);
  parallel_for(blocks, kElementsWorthAThread / block, [&](Index begin, Index end) {
    for (Index b = begin; b < end; ++b) {
      const Index first = b * block;
      sums[b] = row_sums<T, 1>(std::min(block, count - first),
                               [&](Index i, auto access, auto& sum) { add_terms(first + i, access, sum[0]); })[0];
    }
  });
  double total = 0;
  for (Index b = 0; b < blocks; ++b) total += static_cast<double>(sums[b]);
  return static_cast<T>(total);
}

}  // namespace weft::kernels
