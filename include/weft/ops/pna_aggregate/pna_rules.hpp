// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the messages into a node become one row of features.
#pragma once

#include <array>

#include "weft/tensor/types.hpp"

namespace weft {

/// A statistic of the messages into a node; 0 where there are none.
enum class PNAAggregator : unsigned char {
  mean,
  min,
  max,
  sum,
  std,  ///< sqrt(max(variance, 1e-5)), 0 where that is not above sqrt(1e-5) (PyTorch Geometric)
};

/// A factor on a statistic. L = log(max(degree, 1) + 1).
enum class PNAScaler : unsigned char {
  identity,       ///< 1
  amplification,  ///< L
  attenuation,    ///< 1 / L
};

/// A short list without memory of its own.
template <class Item>
struct PNAList {
  static constexpr std::size_t kMost = 8;
  std::array<Item, kMost> items{};
  Index count = 0;

  constexpr PNAList() = default;
  template <class... Items>
  constexpr explicit PNAList(Item first, Items... rest)
      : items{first, rest...}, count(1 + static_cast<Index>(sizeof...(Items))) {}

  /// False when it is full.
  constexpr bool add(Item item) {
    if (count == static_cast<Index>(kMost)) return false;
    items[static_cast<std::size_t>(count++)] = item;
    return true;
  }
  constexpr Item operator[](Index i) const { return items[static_cast<std::size_t>(i)]; }
  constexpr const Item* begin() const { return items.data(); }
  constexpr const Item* end() const { return items.data() + count; }
};

/// Columns of the result: aggregator by aggregator, for each of them scaler by scaler.
struct PNARules {
  PNAList<PNAAggregator> aggregators{PNAAggregator::mean, PNAAggregator::min, PNAAggregator::max, PNAAggregator::std};
  PNAList<PNAScaler> scalers{PNAScaler::identity, PNAScaler::amplification, PNAScaler::attenuation};

  constexpr Index blocks() const { return aggregators.count * scalers.count; }
};

}  // namespace weft
