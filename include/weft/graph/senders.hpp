// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the rows lie that a graph layer sends along the edges of its graph.
#pragma once

#include "weft/layers/row_cache.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// In a whole graph: the layer's rows themselves.
struct OwnSenders {
  template <class X>
  None operator()(const X& /*rows*/) const {
    return none;
  }
};

/// In decoding: the layer's rows, and those that earlier tokens sent. Each call takes the next part of a cache; layers behind
/// each other call it in the same order at every step, which is how each finds its own.
template <class T>
class RememberedSenders {
 public:
  /// \param column  values a token in front of the first part
  RememberedSenders(RowCache<T>& cache, Index column) : cache_(cache), column_(column) {}

  /// \param rows  [batch * new tokens, width], which are appended
  /// \return      [batch * capacity, width]
  template <class X>
  TensorView<const T, Shape<Dyn, Dyn>> operator()(const X& rows) {
    const Index batch = cache_.batch();
    const Index width = rows.extent(1);
    const Shape<Dyn, Dyn, Dyn> texts(batch, batch > 0 ? rows.extent(0) / batch : 0, width);
    const auto all = cache_.append(TensorView<const T, Shape<Dyn, Dyn, Dyn>>(rows.data(), texts), column_);
    column_ += width;
    return {all.data, Shape<Dyn, Dyn>(batch * cache_.capacity(), width)};
  }

 private:
  RowCache<T>& cache_;
  Index column_;
};

}  // namespace weft
