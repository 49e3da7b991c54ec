// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keys or values of this call, or of it and everything that a cache holds.
#pragma once

#include "weft/attention/attention_inputs.hpp"
#include "weft/ops/adjacency/adjacency_operand.hpp"

namespace weft {

namespace detail {

/// The number of keys as a type knows it: that of the tokens, unless there can be a cache.
template <class Context, auto Tokens>
constexpr auto key_extent() {
  if constexpr (Context::records) {
    return Tokens;
  } else {
    return Dyn;
  }
}

}  // namespace detail

/// The dense adjacency [batch, heads, tokens, keys] of an attention layer on x [batch, tokens, hidden].
template <class Context, class X>
using AdjacencyShape = Shape<extent_of<ShapeOf<X>, 0>, Dyn, extent_of<ShapeOf<X>, 1>,
                             detail::key_extent<Context, extent_of<ShapeOf<X>, 1>>()>;

/// Appends the rows of x [batch, tokens, features] to columns [column, column + features) of a cache [batch, capacity, width],
/// behind the `length` rows that are there, and returns all of them. Without a cache (`memory` null), and on a tape, the rows
/// of x alone.
template <class Context, class X, class T = ElementOf<X>>
RowsOperand<T> remembered_rows(const Context& context, const X& x, const CachedKeysValues<T>& cache, T* memory,
                               Index width, Index column = 0) {
  if constexpr (!Context::records) {
    if (memory != nullptr) {
      const Index tokens = x.extent(1);
      const Index features = x.extent(2);
      for (Index b = 0; b < x.extent(0); ++b) {
        for (Index i = 0; i < tokens; ++i) {
          Cpu::copy(memory + (b * cache.capacity + cache.length + i) * width + column,
                    x.data() + (b * tokens + i) * features, static_cast<std::size_t>(features) * sizeof(T));
        }
      }
      return {{memory + column, cache.capacity * width, width}, nullptr, x.extent(0), cache.length + tokens, features};
    }
  }
  return rows_operand(context, x);
}

/// The keys of a call, in their place among those of a layer's cache.
template <class Context, class X, class T>
RowsOperand<T> remembered_keys(const Context& context, const X& x, const CachedKeysValues<T>& cache, Index column = 0) {
  return remembered_rows(context, x, cache, cache.keys, cache.key_width, column);
}

/// The values of a call, in their place among those of a layer's cache.
template <class Context, class X, class T>
RowsOperand<T> remembered_values(const Context& context, const X& x, const CachedKeysValues<T>& cache) {
  return remembered_rows(context, x, cache, cache.values, cache.value_width);
}

}  // namespace weft
