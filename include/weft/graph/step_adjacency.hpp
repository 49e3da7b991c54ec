// SPDX-License-Identifier: Apache-2.0
/// \file
/// What of an adjacency new tokens need while decoding, given its last rows.
#pragma once

#include <algorithm>

#include "weft/tensor/tensor.hpp"

namespace weft::detail {

/// The entries of each token's own key among those of the last tokens.
///
/// \param rows  [batch, maps, new tokens, keys], or the diagonal already
/// \return      [batch, maps, new tokens, 1]
template <class Context, class Rows>
auto diagonal_of(Context& context, const Rows& rows) {
  using Diagonal = Shape<Dyn, Dyn, Dyn, Dyn>;
  const Index tokens = rows.extent(2);
  const Index keys = rows.extent(3);
  const Diagonal shape(rows.extent(0), rows.extent(1), tokens, 1);
  if (keys == 1) return rows.reshape(shape);
  auto diagonal = context.template make<typename Rows::Element>(shape);
  for (Index row = 0; row < diagonal.size(); ++row) {
    diagonal.data()[row] = rows.data()[row * keys + keys - tokens + row % tokens];
  }
  return diagonal;
}

/// What new tokens receive in the reference's direction, in rows as they are from key to query: entry s of row u is E[s, u].
/// An earlier s does not see u, so that its entry is that of any pair that the causal mask hides.
///
/// \param rows    [batch, maps, new tokens, keys]: E
/// \param hidden  the entry of a hidden pair
/// \return        the shape of rows
template <class Context, class Rows, class T = typename Rows::Element>
Rows received(Context& context, const Rows& rows, T hidden) {
  const Index tokens = rows.extent(2);
  const Index keys = rows.extent(3);
  auto all = context.template make<T>(rows.shape());
  for (Index row = 0; row < rows.extent(0) * rows.extent(1) * tokens; ++row) {
    const Index own = keys - tokens + row % tokens;
    T* to = all.data() + row * keys;
    std::fill_n(to, own, hidden);
    to[own] = rows.data()[row * keys + own];
    std::fill(to + own + 1, to + keys, T{0});
  }
  return all;
}

}  // namespace weft::detail
